// One picture's card: what it looks like, what it shows, how sure that is, and why.

import { element } from "./elements.js";
import { post } from "./service.js";
import * as words from "./words.js";

/** The card of a picture that is still being judged. */
export function card(picture) {
  const image = element("img", { src: picture.url, alt: "", loading: "lazy" });
  image.onerror = () => preview(picture, image);
  const heading = element("h3", { id: picture.id, tabIndex: -1, textContent: picture.name });
  const told = element("div", { className: "told" }, heading, element("p", { className: "quiet" }, "Waiting …"));
  return element("li", {}, element("figure", {}, image), told);
}

/** Put the answer, or the error, on its card. */
export function tell(picture, threshold) {
  const told = picture.card.querySelector(".told");
  told.lastChild.remove();
  if (picture.error) {
    told.append(element("p", { className: "error", textContent: picture.error }));
    return;
  }
  const { answer } = picture;
  told.append(
    element("p", { className: answer.label ? "label" : "label stranger", textContent: words.label(answer) }),
    element("p", { className: "quiet", textContent: words.acceptance(answer, threshold) }),
    bars(answer.probabilities),
  );
  if (answer.dicom) told.append(dicom(answer.dicom));
  picture.card.querySelector("figure").append(heat(picture));
}

/** Of what the browser cannot show itself, DICOM above all, the service makes a small picture. */
async function preview(picture, image) {
  image.onerror = null;
  const unshown = element("span", { className: "unshown", textContent: kind(picture.name) });
  image.replaceWith(unshown);
  try {
    picture.thumbnail = await made("thumbnail", picture);
  } catch {
    return; // its card tells why
  }
  image.src = picture.thumbnail;
  unshown.replaceWith(image);
}

function bars(probabilities) {
  const rows = Object.entries(probabilities).map(([name, share]) => {
    const bar = element("span", { className: "share", ariaHidden: "true" });
    bar.style.setProperty("--share", share);
    return element("li", {}, element("span", {}, name), bar, element("span", {}, words.percent(share)));
  });
  return element("ul", { className: "bars", ariaLabel: "Probabilities" }, ...rows);
}

function dicom(said) {
  const frames = said.frames > 1 ? `, the middle one of ${said.frames} frames` : "";
  const text = `DICOM header: ${words.header(said)} (${words.agreement(said)}); ${said.columns} × ${said.rows}${frames}`;
  return element("p", { className: said.agrees === false ? "stranger" : "quiet", textContent: text });
}

/** A button that shows the heat map instead of the picture, and the picture again. */
function heat(picture) {
  const button = element("button", { className: "plain", textContent: "Heat map", ariaPressed: "false" });
  button.ariaLabel = `Heat map of ${picture.name}`;
  let other = null;
  button.onclick = async () => {
    button.disabled = true;
    try {
      other ??= await explained(picture);
      const shown = button.previousElementSibling;
      shown.replaceWith(other);
      other = shown;
      button.ariaPressed = String(button.ariaPressed === "false");
    } catch (error) {
      button.replaceWith(element("p", { className: "error", role: "alert", textContent: error.message }));
      return;
    }
    button.disabled = false;
    button.focus();
  };
  return button;
}

async function explained(picture) {
  picture.heat = await made("explain", picture);
  return element("img", { src: picture.heat, alt: "What speaks for the most probable class, as heat" });
}

/** The address of a picture that a route makes of this one. */
async function made(route, picture) {
  return URL.createObjectURL(await (await post(route, picture.file)).blob());
}

function kind(name) {
  const ending = /\.(\w{1,5})$/.exec(name);
  return ending ? ending[1].toUpperCase() : "no preview";
}
