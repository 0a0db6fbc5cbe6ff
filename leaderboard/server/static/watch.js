// A submission's page, while it is under way: asks how far it is, and loads itself anew when that is over.
"use strict";

const line = document.getElementById("state");
const ended = ["faults", "refused", "scored"];
const slowest = 10000; // milliseconds between two questions

function words(found) {
  if (found.before !== null) return found.before ? `${found.before} before it` : "nothing before it";
  return found.units ? `${found.stage}: ${found.done} of ${found.units}` : found.stage;
}

async function ask(wait) {
  let next = Math.min(wait * 1.2, slowest);
  try {
    const answer = await fetch(`/submissions/${line.dataset.code}/state`, { cache: "no-store" });
    if (!answer.ok || answer.redirected) return location.reload();
    const found = await answer.json();
    if (ended.includes(found.state)) return location.reload();
    const strong = line.querySelector("strong");
    if (strong.textContent !== found.state) next = 700;
    strong.textContent = found.state;
    line.querySelector("[role=status]").textContent = words(found);
  } catch {
    line.querySelector("[role=status]").textContent = "the server does not answer, asking again";
  }
  setTimeout(ask, next, next);
}

if (!ended.includes(line.dataset.state)) setTimeout(ask, 700, 700);
