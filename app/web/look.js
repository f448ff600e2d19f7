// What of the answers a person should look at, and in which order.

const WEAK_CONFIDENCE = 0.95;
const REASONS = ["header contradicts", "little confidence", "refused", "failed"]; // of what failed there is nothing to see

/** Why a person should look at it; empty where there is no reason. */
export function reason({ answer, error }) {
  if (error) return "failed";
  if (!answer) return "";
  if (answer.dicom?.agrees === false) return "header contradicts";
  if (answer.label === null) return "refused";
  return answer.confidence < WEAK_CONFIDENCE ? "little confidence" : "";
}

/** Small where it should be looked at early: the least sure of the accepted, the least strange of the refused. */
export function urgency(picture) {
  const why = reason(picture);
  if (!why) return null;
  const { label, confidence, ood_score } = picture.answer ?? {};
  return REASONS.indexOf(why) + ((label === null ? ood_score : confidence) ?? 0) / 2;
}
