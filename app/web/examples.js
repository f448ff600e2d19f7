// Drawn pictures to try: one for each answer that the model gives.

import { element, find } from "./elements.js";
import { ask } from "./service.js";
import { none } from "./words.js";

/** Buttons that `tried(paths)` is called by, for a model of so many classes. Where the service cannot say which there are, the page does without. */
export async function offerExamples(classes, tried) {
  const found = await ask("web/examples").then((response) => response.json(), () => []);
  const paths = found.map(({ name }) => `web/examples/${name.split("/").map(encodeURIComponent).join("/")}`);
  const items = found.map(({ label }, at) => {
    const image = element("img", { src: paths[at], alt: "", width: 64, height: 64 });
    const button = element("button", { className: "example" }, image, element("span", {}, label ?? none(classes)));
    button.onclick = () => tried([paths[at]]);
    return element("li", {}, button);
  });
  document.querySelector("#examples .strip").append(...items);
  find("every").onclick = () => tried(paths);
  find("examples").hidden = !found.length;
}

/** The drawings as files. None where one is missing, which is said. */
export async function example(paths) {
  find("missing").textContent = "";
  try {
    return await Promise.all(paths.map(fetched));
  } catch (error) {
    find("missing").textContent = error.message;
    return [];
  }
}

async function fetched(path) {
  const file = new File([await (await ask(path)).blob()], path.split("/").at(-1));
  return { file, name: `example-${file.name}` };
}
