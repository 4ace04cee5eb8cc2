// Puts the files of the live page into the program, minified: the module that reads them is replaced by one that has them.
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { transform } from 'esbuild';

const loaders = { css: 'css', js: 'js' };

export const embedPage = {
  name: 'embed-page',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/]control[\\/]page[\\/]files\.ts$/ }, async ({ path }) => {
      const files = await Promise.all(
        ['index.html', 'page.css', 'page.js'].map(async (name) => {
          const text = readFileSync(`${dirname(path)}/${name}`, 'utf8');
          const loader = loaders[name.split('.').at(-1)];
          if (!loader) return [name, text.replaceAll(/\n\s*/g, '\n')];
          const { code } = await transform(text, { loader, minify: true, target: 'es2022', charset: 'utf8' });
          return [name, code];
        }),
      );
      return {
        contents: `export function readPageFile(name) { return (${JSON.stringify(Object.fromEntries(files))})[name]; }`,
        loader: 'js',
      };
    });
  },
};
