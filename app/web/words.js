// An answer in words, for the card, the table and the CSV file alike.

const NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];

export const number = (count) => NUMBERS[count] ?? String(count);

export function label(answer) {
  return answer.label ?? none(Object.keys(answer.probabilities).length);
}

export const none = (classes) => `none of the ${number(classes)}`;

export function percent(share) {
  const text = (100 * share).toFixed(1);
  return text === "100.0" ? "> 99.9 %" : `${text} %`; // nothing is certain
}

/** The class that a picture looks like most, accepted or not, and how much. */
export function nearest({ probabilities }) {
  const [name, share] = Object.entries(probabilities).reduce((one, other) => (other[1] > one[1] ? other : one));
  return [name, percent(share)];
}

/** Whether the picture was accepted, and how strange it is beside the model's limit. */
export function acceptance(answer, threshold) {
  if (answer.accepted === null) return "This model cannot tell strangers.";
  const said = answer.accepted ? "Accepted" : "Refused";
  if (threshold === undefined) return `${said}: strangeness ${answer.ood_score.toFixed(2)}`;
  const [score, limit] = apart(answer.ood_score, threshold);
  return `${said}: strangeness ${score}, the limit is ${limit}`;
}

/** Both with as many digits as tell them apart. */
function apart(one, other) {
  let digits = 2;
  while (digits < 8 && one !== other && one.toFixed(digits) === other.toFixed(digits)) digits++;
  return [one.toFixed(digits), other.toFixed(digits)];
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
