// Runs an expression over lines, in a worker: one that takes for ever holds up nobody, and can be ended.
const RANGES = 500; // of a line

function matches(expression, text) {
  const ranges = [];
  expression.lastIndex = 0;
  let match = expression.exec(text);
  if (!match) return null;
  for (; match && ranges.length < RANGES; match = expression.exec(text)) {
    if (match[0]) ranges.push([match.index, match.index + match[0].length]);
    else expression.lastIndex += text.codePointAt(expression.lastIndex) > 0xffff ? 2 : 1; // nothing, as "a*" finds it between any two letters: there is nothing to mark
  }
  return ranges;
}

// Asked: {batch, source, flags, texts}; the answer: {batch, found: [for each text its ranges, or null]}.
self.onmessage = ({ data: { batch, source, flags, texts } }) => {
  const expression = new RegExp(source, flags);
  self.postMessage({ batch, found: texts.map((text) => matches(expression, text)) });
};
self.postMessage({ ready: true });
