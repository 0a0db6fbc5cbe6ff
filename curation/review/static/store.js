// What is fetched from the server, and what is fetched ahead of time.

const AHEAD = 3; // videos whose first picture is there before it is asked for

export class Refused extends Error {}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Refused("the server does not answer; start icvos curate review again and open the address it prints");
  }
  if (!answer.ok) {
    const text = await answer.text();
    let detail = text.trim();
    try { detail = JSON.parse(text).detail ?? detail; } catch { /* not JSON: as it is */ }
    throw new Refused(typeof detail === "string" ? detail : JSON.stringify(detail));
  }
  return answer.json();
}

const place = (video) => `/api/videos/${encodeURIComponent(video.source)}/${encodeURIComponent(video.name)}`;

export const get = (path) => ask(path);
export const send = (path, value = {}) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });
export const frameAddress = (video, number, width = 0) => `${place(video)}/frames/${number}${width ? `?width=${width}` : ""}`;
export const course = (video) => ask(`${place(video)}/course`);
export const suggestions = (video) => ask(`${place(video)}/suggestions`);

const ahead = new Map(); // key -> a promise of {picture}

export const keyOf = (video) => `${video.source}/${video.name}`;

async function picture(video) {
  const image = new Image();
  image.src = frameAddress(video, 0);
  await image.decode();
  return image;
}

// The first picture of a video; what is known of it is asked anew, for others may have decided.
export function firstPicture(video) {
  const key = keyOf(video);
  if (!ahead.has(key)) {
    const made = picture(video);
    made.catch(() => ahead.delete(key));
    ahead.set(key, made);
  }
  return ahead.get(key);
}

export const details = (video) => ask(place(video));

// Fetch the next videos, and forget those that are far away.
export function prepare(videos, current) {
  const wanted = videos.slice(0, AHEAD);
  const kept = new Set([current, ...wanted].filter(Boolean).map(keyOf));
  for (const key of [...ahead.keys()]) if (!kept.has(key)) ahead.delete(key);
  for (const video of wanted) {
    firstPicture(video).catch(() => {});
    details(video).catch(() => {}); // so that the server has read its mask, and begins with its suggestions
    suggestions(video).catch(() => {});
  }
}
