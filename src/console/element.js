/**
 * Makes an element with a class and children. Strings become text nodes, so that text from the broker is never markup.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {string} className
 * @param {(string | Node)[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  made.append(...children);
  return made;
}

/**
 * Makes a button that does not send a form.
 *
 * @param {string} className
 * @param {string} label
 * @param {() => void} onClick
 */
export function button(className, label, onClick) {
  const made = element('button', className, label);
  made.type = 'button';
  made.addEventListener('click', onClick);
  return made;
}

/**
 * An entry of a description list.
 *
 * @param {string} name
 * @param {string | Node} value
 */
export function fact(name, value) {
  return element('div', '', element('dt', '', name), element('dd', '', value));
}

/**
 * Returns an element that the page must have.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new TypeError(`the page has no ${type.name} #${id}`);
  return found;
}
