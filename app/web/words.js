// An answer in words, for the card, the table and the CSV file alike.

const NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];

export const number = (count) => NUMBERS[count] ?? String(count);

export function label(answer) {
  return answer.label ?? `none of the ${number(Object.keys(answer.probabilities).length)}`;
}

export function percent(share) {
  const text = (100 * share).toFixed(1);
  return text === "100.0" && share < 1 ? "> 99.9 %" : `${text} %`;
}

/** Whether the picture was accepted, and how strange it is beside the model's limit. */
export function acceptance(answer, threshold) {
  if (answer.accepted === null) return "This model cannot tell strangers.";
  const limit = threshold === undefined ? "" : ` of at most ${threshold.toFixed(2)}`;
  return `${answer.accepted ? "Accepted" : "Refused"}: strangeness ${answer.ood_score.toFixed(2)}${limit}`;
}

export function header(dicom) {
  return [dicom.modality, dicom.body_part].filter(Boolean).join(", ") || "no body part";
}

/** As classify's table has it. */
export function bodyPart({ term, code, scheme, meaning }) {
  return `${term} (${code}, ${scheme}, ${meaning})`;
}

export function agreement(dicom) {
  if (dicom.agrees === null) return "nothing to compare";
  return dicom.agrees ? "agrees" : "contradicts";
}
