import { defineEofMatrix } from '../../helpers/eof-matrix.ts';

defineEofMatrix('listen', 'unix');
