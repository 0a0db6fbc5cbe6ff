// The clip: playing, scrubbing, a filmstrip, and a bar for each object that says where it is absent or jumps.

import { frameAddress } from "./store.js";

const WIDTH = 640, THUMB = 160, THUMBS = 9, FPS = 15, AT_ONCE = 3;

export class Clip {
  constructor() {
    this.canvas = document.getElementById("screen");
    this.scrub = document.getElementById("scrub");
    this.strip = document.getElementById("strip");
    this.button = document.getElementById("play");
    this.count = 0;
    this.frame = 0;
    this.images = [];
    this.course = null;
    this.colours = new Map();
    this.onFrame = () => {};
    this.masks = true;
    this.scrub.oninput = () => { this.stop(); this.go(Number(this.scrub.value)); };
    this.scrub.onchange = () => this.scrub.blur(); // arrow keys are the app's
    this.button.onclick = () => this.toggle();
  }

  open(video, count, size) {
    this.stop();
    this.video = video;
    this.count = count;
    this.frame = 0;
    this.course = null;
    this.images = new Array(count);
    this.loading = new Set();
    this.canvas.width = Math.min(WIDTH, size[1]);
    this.canvas.height = Math.round((this.canvas.width * size[0]) / size[1]);
    this.scrub.max = count - 1;
    const places = [...new Set(Array.from({ length: Math.min(THUMBS, count) }, (_, place) => Math.round((place * (count - 1)) / Math.max(1, Math.min(THUMBS, count) - 1))))];
    this.strip.replaceChildren(
      ...places.map((number) => {
        const image = document.createElement("img");
        image.src = frameAddress(video, number, THUMB);
        image.alt = `Frame ${number + 1}`;
        image.dataset.frame = number;
        image.onclick = () => { this.stop(); this.go(number); };
        return image;
      }),
    );
    this.go(0);
  }

  setCourse(course) { this.course = course; this.paint(); this.onFrame(); }

  go(frame) {
    this.frame = Math.max(0, Math.min(this.count - 1, frame));
    this.scrub.value = this.frame;
    document.getElementById("frame").textContent = `${this.frame + 1} / ${this.count}`;
    const thumbs = [...this.strip.children];
    const here = thumbs.findLast((image) => Number(image.dataset.frame) <= this.frame);
    for (const image of thumbs) image.classList.toggle("here", image === here);
    this.load();
    this.paint();
    this.onFrame();
  }

  // Fetch the frame that is shown, and those that will be shown next.
  load() {
    const video = this.video;
    for (let ahead = 0; ahead < this.count && this.loading.size < AT_ONCE; ahead++) {
      const number = (this.frame + ahead) % this.count;
      if (this.images[number] || this.loading.has(number)) continue;
      this.loading.add(number);
      const image = new Image();
      image.src = frameAddress(video, number, WIDTH);
      image.decode().then(
        () => {
          if (this.video !== video) return;
          this.images[number] = image;
          this.loading.delete(number);
          if (number === this.frame) this.paint();
          this.load();
        },
        () => this.video === video && this.loading.delete(number),
      );
    }
  }

  paint() {
    const image = this.images[this.frame];
    if (!image) return;
    const context = this.canvas.getContext("2d");
    context.drawImage(image, 0, 0, this.canvas.width, this.canvas.height);
    if (!this.course || !this.masks) return;
    context.save();
    context.scale(this.canvas.width / this.course.size[1], this.canvas.height / this.course.size[0]);
    context.lineJoin = "round";
    for (const [id, outline] of Object.entries(this.course.outlines[this.frame])) {
      const path = new Path2D(outline);
      const colour = this.colours.get(Number(id)) ?? "#fff";
      context.globalAlpha = 0.18;
      context.fillStyle = colour;
      if (colour !== "#fff") context.fill(path, "evenodd");
      context.globalAlpha = 1;
      context.lineWidth = 3.5;
      context.strokeStyle = "rgb(0 0 0 / .55)";
      context.stroke(path);
      context.lineWidth = 1.7;
      context.strokeStyle = colour;
      context.stroke(path);
    }
    context.restore();
  }

  toggle() { if (this.timer) this.stop(); else this.play(); }

  play() {
    this.button.textContent = "❚❚";
    this.timer = setInterval(() => {
      const next = (this.frame + 1) % this.count;
      if (this.images[next]) this.go(next);
      else this.load();
    }, 1000 / FPS);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.button.textContent = "▶";
  }

  // The next frame, or the last one before, at which an object goes, comes or jumps.
  change(id, forward) {
    const all = this.course?.changes[id] ?? [];
    const found = forward ? all.find((frame) => frame > this.frame) : all.findLast((frame) => frame < this.frame);
    if (found === undefined) return false;
    this.stop();
    this.go(found);
    return true;
  }

  // The bar of an object: as high as it is large, red where it is absent, a tick where its area jumps.
  bar(canvas, id, colour) {
    const width = canvas.clientWidth || 300, height = canvas.clientHeight || 16, ratio = devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.fillStyle = "#2a2f38";
    context.fillRect(0, 0, width, height);
    const areas = this.course?.areas[id];
    if (areas) {
      const most = Math.max(...areas), step = width / areas.length;
      areas.forEach((area, frame) => {
        const tall = area ? Math.max(3, Math.sqrt(area / most) * (height - 2)) : height;
        context.fillStyle = area ? colour ?? "#c8cfda" : "#7a2b24";
        const left = Math.floor(frame * step);
        context.fillRect(left, height - tall, Math.ceil((frame + 1) * step) - left, tall);
      });
      context.fillStyle = "#ffd166";
      for (const frame of this.course.jumps[id] ?? []) context.fillRect(frame * step - 1, 0, 2, height);
    }
    context.fillStyle = "#fff";
    context.fillRect(((this.frame + 0.5) / this.count) * width - 1, 0, 2, height);
  }
}
