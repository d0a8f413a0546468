import { doc } from 'prettier';
import type { Doc, Printer } from 'prettier';
import { parsers, printers as markdownPrinters } from 'prettier/plugins/markdown';

// A Prettier plugin that prints the tables of Markdown documents with one blank around each cell. Prettier itself
// pads every cell to the longest cell of its column: one long cell makes all rows as long and changes all of them.

const DELIMITERS = { left: ':---', center: ':---:', right: '---:' } as const;

interface MarkdownNode {
  readonly type: string;
  readonly children?: readonly MarkdownNode[];
  /** Of a table: one value for each column. */
  readonly align?: readonly (keyof typeof DELIMITERS | null)[];
}

const { mdast } = markdownPrinters;

const print: Printer<MarkdownNode>['print'] = (path, options, printNode, args) => {
  if (path.node.type !== 'table') return mdast.print(path, options, printNode, args);
  const rows = path.map(() => path.map(printNode, 'children'), 'children');
  const delimiters = (path.node.align ?? []).map((align) => (align === null ? '---' : DELIMITERS[align]));
  return doc.builders.join(doc.builders.hardline, rows.toSpliced(1, 0, delimiters).map(printRow));
};

function printRow(cells: readonly Doc[]): Doc {
  return ['|', ...cells.map((cell) => (isEmpty(cell) ? ' |' : [' ', cell, ' |']))];
}

function isEmpty(cell: Doc): boolean {
  return Array.isArray(cell) && cell.length === 0;
}

// Prettier takes the printer of the plugin that brings the parser.
export { parsers };
export const printers = { mdast: { ...mdast, print } };
