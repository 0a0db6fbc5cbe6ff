// From letters to categories: two letters are a category's own, more letters are the start of a name or another word.

export function matches(typed, categories) {
  if (!typed) return [];
  const exact = categories.filter((one) => one.code === typed);
  const byName = categories.filter((one) => one.name.replaceAll(" ", "").startsWith(typed));
  const byWord = categories.filter((one) => one.words.some((word) => word.replaceAll(" ", "").startsWith(typed)));
  const byCode = categories.filter((one) => one.code.startsWith(typed));
  return [...new Set([...exact, ...byName, ...byWord, ...byCode])];
}

// The category that letters stand for; null where they are too few, or stand for none.
export function meant(typed, categories) {
  if (typed.length < 2) return null;
  return matches(typed, categories)[0] ?? null;
}
