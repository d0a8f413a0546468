import { globSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { DOCUMENT_LINES } from './document-lines.ts';

export const ROOT = join(import.meta.dirname, '../..');

/** The Markdown files of the project. The change log tells of the past, so its lines need not work. */
export function documents(): string[] {
  const found = globSync('**/*.md', { cwd: ROOT, exclude: ['**/node_modules', '**/.git', '**/dist'] });
  return found.filter((path) => path !== 'CHANGELOG.md').toSorted();
}

/** How a block of JSON, of HTTP or of the events of a stream begins. No shell line begins so. */
const NO_SHELL = /^(?:\{$|\{"|\[$|\[\{|HTTP\/|GET \/|[\w-]+: )/;

/**
 * The code of a Markdown text that may be shell, without its indentation: blocks that are indented by four spaces
 * outside lists and do not look like JSON, HTTP or events, and blocks that are fenced as sh, bash, shell or console. A blank line separates two blocks, because
 * documents use it between the lines for two terminals.
 */
export function shellBlocks(text: string): string[] {
  const fences = [...text.matchAll(/^( *)```(?:sh|bash|shell|console)\n([^]*?)^\1```$/gm)].map(
    ([, indent = '', code = '']) => code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  );
  return [...fences, ...indentedCode(text)]
    .flatMap((code) => code.trim().split(/\n\s*\n/))
    .filter((block) => !NO_SHELL.test(block.split('\n', 1)[0] ?? ''));
}

/** Whether a fenced block does not say its language. Generated parts are left out. */
export function hasPlainFence(text: string): boolean {
  const written = text.replaceAll(/<!-- npm run docs: (.+) begin -->[^]*?<!-- npm run docs: \1 end -->/g, '');
  return [...written.matchAll(/^ *```(.*)$/gm)].some(([, language], n) => n % 2 === 0 && language === '');
}

function indentedCode(text: string): string[] {
  const blocks: string[][] = [];
  let inList = false;
  let code: string[] | undefined;
  let previous = '';
  for (const line of text.replaceAll(/^( *)```[^]*?^\1```$/gm, '').split('\n')) {
    if (/^ {0,3}(?:[-*+]|\d+[.)]) /.test(line)) inList = true;
    else if (/^\S/.test(line)) inList = false;
    if (/^ {4}/.test(line) && !inList && (code !== undefined || previous === '')) {
      if (code === undefined) blocks.push((code = []));
      code.push(line.slice(4));
    } else if (line !== '') code = undefined;
    else code?.push('');
    previous = line;
  }
  return blocks.map((lines) => lines.join('\n'));
}

/**
 * Returns a function for the test file that runs the lines of a document. It gets a distinctive text, which has to be
 * registered in document-lines.ts as a key of this document and with this test file, and returns the block.
 */
export function documentShell(document: string, testFile: string): (key: string) => string {
  const blocks = shellBlocks(readFileSync(join(ROOT, document), 'utf8'));
  const file = relative(ROOT, testFile);
  return (key) => {
    const use = DOCUMENT_LINES[document]?.[key];
    if (use === undefined || !('run' in use) || use.run !== file)
      throw new Error(`test/support/document-lines.ts does not say that ${file} runs ${key} of ${document}.`);
    const [found = '', ...more] = blocks.filter((block) => block.includes(key));
    if (found === '' || more.length > 0)
      throw new Error(`${document} has ${more.length + Number(found !== '')} blocks with ${key}.`);
    return found;
  };
}
