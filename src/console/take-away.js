import { element } from './element.js';

/**
 * Copies a text to the clipboard. Only secure contexts have the newer way: https, and this machine.
 *
 * @param {string} text
 * @returns {Promise<boolean>} whether it worked
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const focused = document.activeElement;
    const field = element('textarea', 'off-screen');
    field.value = text;
    document.body.append(field);
    field.select();
    // oxlint-disable-next-line typescript/no-deprecated -- the only way on a page over plain HTTP
    const copied = document.execCommand('copy');
    field.remove();
    if (focused instanceof HTMLElement) focused.focus();
    return copied;
  }
}

/**
 * Lets a button copy a text, and say whether it worked.
 *
 * @param {HTMLButtonElement} button
 * @param {() => string} text
 */
export function copyOnClick(button, text) {
  const name = button.textContent;
  button.addEventListener('click', () => {
    void copyText(text()).then((copied) => {
      button.textContent = copied ? 'Copied' : 'Not allowed to copy';
      setTimeout(() => (button.textContent = name), 1_500);
    });
  });
}

/**
 * Saves a file through the browser.
 *
 * @param {string} name
 * @param {string[]} parts
 * @param {string} type
 */
export function saveFile(name, parts, type) {
  const link = element('a', '');
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
