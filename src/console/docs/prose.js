import { element } from '../element.js';

/**
 * Renders the parts of CommonMark that the document uses: paragraphs, lists, and code in backticks.
 *
 * @param {string} source
 * @returns {HTMLElement[]}
 */
export function prose(source) {
  return source
    .split('\n\n')
    .filter(Boolean)
    .map((block) => {
      const lines = block.split('\n');
      if (!lines.every((line) => line.startsWith('- '))) return element('p', '', ...inline(block));
      return element('ul', '', ...lines.map((line) => element('li', '', ...inline(line.slice(2)))));
    });
}

/**
 * @param {string} line
 * @returns {(string | Node)[]}
 */
export function inline(line) {
  return line.split('`').map((part, index) => (index % 2 === 1 ? element('code', '', part) : part));
}
