// As much Markdown as a model card uses, made into elements: headings, paragraphs, lists, tables, bold, code.

import { element } from "./elements.js";

/** The elements of `text`. A heading's level grows by `deeper`. */
export function render(text, deeper) {
  return text.split(/\n\s*\n/).flatMap((block) => {
    const lines = block.split("\n").filter((line) => line.trim());
    return lines.length ? blockOf(lines, deeper) : [];
  });
}

/** The part of `text` under the heading `name`, or nothing. */
export function section(text, name) {
  return text.split(/^## /m).find((part) => part.startsWith(`${name}\n`))?.slice(name.length) ?? "";
}

function blockOf(lines, deeper) {
  const heading = /^(#{1,6}) (.*)/.exec(lines[0]);
  if (heading) {
    const level = Math.min(6, heading[1].length + deeper);
    return [element(`h${level}`, {}, ...inline(heading[2])), ...render(lines.slice(1).join("\n"), deeper)];
  }
  if (lines.every((line) => line.startsWith("|"))) return [table(lines)];
  if (lines.every((line) => /^[-*] /.test(line))) {
    return [element("ul", {}, ...lines.map((line) => element("li", {}, ...inline(line.slice(2)))))];
  }
  return [element("p", {}, ...inline(lines.join(" ")))];
}

function table(lines) {
  const [head, , ...rows] = lines.map((line) => line.split("|").slice(1, -1).map((text) => text.trim()));
  const row = (tag, texts) => element("tr", {}, ...texts.map((text) => element(tag, {}, ...inline(text))));
  const body = element("tbody", {}, ...rows.map((texts) => row("td", texts)));
  return element("table", {}, element("thead", {}, row("th", head)), body);
}

function inline(text) {
  return text.split(/(\*\*[^*]+\*\*|`[^`]+`)/).filter(Boolean).map((part) => {
    if (part.startsWith("**")) return element("strong", { textContent: part.slice(2, -2) });
    return part.startsWith("`") ? element("code", { textContent: part.slice(1, -1) }) : part;
  });
}
