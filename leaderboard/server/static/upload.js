// The form with a file: shows how much of it is sent. Without this script the form works as forms do.
"use strict";

const form = document.getElementById("upload");
const box = document.getElementById("sending");
const bar = box.querySelector("progress");
const status = box.querySelector("[role=status]");

function tell(text) {
  box.hidden = false;
  status.textContent = text;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const [file] = form.elements.file.files;
  if (file && file.size > Number(form.dataset.most)) return tell("the file is larger than this server takes");
  const button = form.querySelector("button.main");
  const request = new XMLHttpRequest();
  const again = (text) => { tell(text); button.disabled = false; };
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  request.upload.addEventListener("progress", (sent) => {
    if (!sent.lengthComputable) return;
    bar.value = sent.loaded / sent.total;
    tell(`${Math.floor(100 * bar.value)} % sent`);
  });
  request.addEventListener("error", () => again("the connection broke; send it again"));
  request.addEventListener("load", () => {
    const answer = request.response;
    if (request.status === 200 && answer && answer.place) location.assign(answer.place);
    else again(answer && answer.detail ? answer.detail : "the server refused it; load this page again");
  });
  button.disabled = true;
  tell("sending");
  request.send(new FormData(form));
});
