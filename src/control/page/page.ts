import { Problem } from '../problem.ts';
import type { AnswerControl } from '../request.ts';
import { readPageFile, type PageFile } from './files.ts';

interface PagePart {
  readonly file: PageFile;
  readonly type: string;
}

const parts: Readonly<Record<string, PagePart>> = {
  '/': { file: 'index.html', type: 'text/html; charset=utf-8' },
  '/page.css': { file: 'page.css', type: 'text/css; charset=utf-8' },
  '/page.js': { file: 'page.js', type: 'text/javascript; charset=utf-8' },
};

/** The paths of the live page. It is the same for every proxy, and shows nothing by itself. */
export const pagePaths: readonly string[] = Object.keys(parts);

/** Nothing but the page's own files, and no text that becomes markup. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

export interface PageOptions {
  /** What a change needs. Default: nothing. */
  readonly token?: string | undefined;
  /** Reading needs it as well. */
  readonly isPublic: boolean;
}

/** The live page, which uses the interface of /v1/. */
export function createPageInterface({ token, isPublic }: PageOptions): AnswerControl {
  const need = token === undefined ? 'never' : isPublic ? 'always' : 'changes';
  return ({ method, path }) => {
    const part = parts[`/${path.join('/')}`];
    if (!part) return Promise.resolve(undefined);
    if (method !== 'GET' && method !== 'HEAD')
      throw new Problem('METHOD_NOT_ALLOWED', 'this path has GET', {
        subject: method,
        headers: { allow: 'GET' },
      });
    const headers = { 'content-type': part.type, 'content-security-policy': policy };
    const body = readPageFile(part.file).replace('data-token=""', `data-token="${need}"`);
    return Promise.resolve({ status: 200, headers, body });
  };
}
