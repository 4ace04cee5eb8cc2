import { defineEofMatrix } from '../../helpers/eof-matrix.ts';

defineEofMatrix('connect', 'tcp');
