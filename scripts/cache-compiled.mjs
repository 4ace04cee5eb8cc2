// Loaded in each process of the tests: what the sources compile to is kept, since a few hundred processes compile the same.
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/tests', import.meta.url)));
