// Elements in one line. Text stays text: nothing here reads HTML.

export const find = (id) => document.getElementById(id);

export function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Move elements about; what had the focus has it afterwards. */
export function keepingFocus(move) {
  const focused = document.activeElement;
  move();
  focused.focus({ preventScroll: true });
}
