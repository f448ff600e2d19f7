// What the service says of its model: what it tells apart, how good that is, and its card.

import { element, find } from "./elements.js";
import { limits } from "./limits.js";
import { render } from "./markdown.js";
import { ask } from "./service.js";
import { none } from "./words.js";

/** Show it, and give it. Throws what `ask` throws. */
export async function introduce() {
  const model = await (await ask("model")).json();
  const { name, version, classes, ood, metrics, card } = model;
  find("lede").textContent = `Tells ${classes.join(", ")} apart, or says that a picture is ${none(classes.length)}.`;
  const facts = { Name: name, Version: version, Classes: classes.join(", ") };
  if (ood) facts["Refuses what is stranger than"] = ood.threshold.toFixed(2);
  const rows = Object.entries(facts).map(([term, said]) => element("div", {}, element("dt", {}, term), element("dd", {}, said)));
  find("facts").replaceChildren(...rows);
  find("limits").replaceChildren(...limits(metrics, classes).map((textContent) => element("li", { textContent })));
  find("card").replaceChildren(...render(card, 2));
  find("model").hidden = false;
  return model;
}
