// The first frame: its objects outlined and numbered, the rest as it is; closer and farther.

const SVG = "http://www.w3.org/2000/svg";
const MOST = 12; // times closer
const CLICK_PX = 4; // by which a click may move, and is no drag
const SMALL_PX = 15; // an object less deep than this on the screen has its number above it

export class Stage {
  constructor() {
    this.stage = document.getElementById("stage");
    this.picture = document.getElementById("picture");
    this.overlay = document.getElementById("overlay");
    this.badges = document.getElementById("badges");
    this.size = [1, 1];
    this.view = { zoom: 1, x: 0, y: 0 };
    this.onFocus = () => {};
    new ResizeObserver(() => this.fit()).observe(this.stage);
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.stage.addEventListener("pointerdown", (event) => this.grab(event));
    document.getElementById("closer").onclick = () => this.zoom(1.4);
    document.getElementById("farther").onclick = () => this.zoom(1 / 1.4);
    document.getElementById("fit").onclick = () => this.fit();
  }

  // `image` is decoded; `drawn` is what there is to outline, by id.
  show(image, size, drawn) {
    image.id = "first";
    image.alt = "First frame";
    image.draggable = false;
    document.getElementById("first").replaceWith(image);
    this.size = size;
    this.drawn = drawn;
    this.overlay.setAttribute("viewBox", `0 0 ${size[1]} ${size[0]}`);
    this.fit();
  }

  scale() { // screen pixels of a pixel of the frame, not closer
    const [height, width] = this.size;
    return Math.min(this.stage.clientWidth / width, this.stage.clientHeight / height);
  }

  fit() {
    const scale = this.scale();
    const [height, width] = this.size;
    this.picture.style.width = `${width * scale}px`;
    this.picture.style.height = `${height * scale}px`;
    this.view = {
      zoom: 1,
      x: (this.stage.clientWidth - width * scale) / 2,
      y: (this.stage.clientHeight - height * scale) / 2,
    };
    this.move();
  }

  move() {
    const { zoom, x, y } = this.view;
    this.picture.style.transform = `translate(${x}px, ${y}px) scale(${zoom})`;
    this.picture.style.setProperty("--zoom", zoom);
    for (const badge of this.badges.children) badge.classList.toggle("small", Number(badge.dataset.depth) * this.scale() * zoom < SMALL_PX);
  }

  // Closer by a factor, around a point of the stage; without one, around its middle.
  zoom(factor, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    const zoom = Math.min(MOST, Math.max(1, this.view.zoom * factor));
    if (zoom === 1) { this.fit(); return; }
    const by = zoom / this.view.zoom;
    this.view = { zoom, x: x - (x - this.view.x) * by, y: y - (y - this.view.y) * by };
    this.move();
  }

  wheel(event) {
    event.preventDefault();
    const box = this.stage.getBoundingClientRect();
    this.zoom(Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top);
  }

  grab(event) {
    if (event.button !== 0 || event.target.closest("button")) return;
    const start = { x: event.clientX - this.view.x, y: event.clientY - this.view.y };
    const isClick = (end) => Math.hypot(end.clientX - event.clientX, end.clientY - event.clientY) < CLICK_PX;
    this.stage.setPointerCapture(event.pointerId);
    this.stage.classList.add("dragged");
    const drag = (moved) => {
      this.view = { ...this.view, x: moved.clientX - start.x, y: moved.clientY - start.y };
      this.move();
    };
    const end = (last) => {
      if (last.type === "pointerup" && isClick(last)) this.pick(last);
      this.stage.classList.remove("dragged");
      this.stage.removeEventListener("pointermove", drag);
    };
    this.stage.addEventListener("pointermove", drag);
    this.stage.addEventListener("pointerup", end, { once: true });
    this.stage.addEventListener("pointercancel", end, { once: true });
  }

  // An object that is clicked on comes into focus; of several there, the smallest.
  pick(event) {
    const area = (path) => { const box = path.getBBox(); return box.width * box.height; };
    const paths = document.elementsFromPoint(event.clientX, event.clientY).filter((found) => found.matches("#overlay .edge"));
    const [found] = paths.sort((one, other) => area(one) - area(other));
    if (found) this.onFocus(Number(found.dataset.id));
  }

  // `objects` are {id, name, colour}; `hints` are {category, box: [left, top, right, bottom]} in shares of the frame.
  draw(objects, focus, hints) {
    const paths = [];
    const focused = []; // above all others
    const badges = [];
    for (const object of objects) {
      const drawn = this.drawn[object.id];
      if (!drawn) continue;
      const colour = object.colour ?? "#fff";
      const edge = path(drawn.path, "edge", colour, object.name ? colour : "none");
      edge.dataset.id = object.id;
      paths.push(path(drawn.path, "under"), edge);
      if (object.id === focus && objects.length > 1) focused.push(path(drawn.path, "focus"));
      const text = object.name && object.name !== "none" ? `${object.id} ${object.name}` : `${object.id}`;
      badges.push(this.badge(text, drawn.x, drawn.y, colour, drawn.depth));
    }
    const [height, width] = this.size;
    for (const { category, box: [left, top, right, bottom] } of hints) {
      const frame = document.createElementNS(SVG, "rect");
      const values = { x: left * width, y: top * height, width: (right - left) * width, height: (bottom - top) * height, class: "hint" };
      for (const [name, value] of Object.entries(values)) frame.setAttribute(name, value);
      paths.push(frame);
      const badge = this.badge(`another ${category}?`, Math.min(0.92, Math.max(0.08, (left + right) / 2)) * width, Math.max(0.03, top) * height, "#fff", 1e6);
      badge.classList.add("hint");
      badges.push(badge);
    }
    this.overlay.replaceChildren(...paths, ...focused);
    this.badges.replaceChildren(...badges);
    this.move();
  }

  badge(text, x, y, colour, depth) {
    const badge = document.createElement("div");
    badge.className = "badge";
    badge.textContent = text;
    badge.style.left = `${(100 * x) / this.size[1]}%`;
    badge.style.top = `${(100 * y) / this.size[0]}%`;
    badge.style.borderColor = colour;
    badge.dataset.depth = depth;
    return badge;
  }
}

function path(outline, kind, stroke, fill) {
  const made = document.createElementNS(SVG, "path");
  made.setAttribute("d", outline);
  made.setAttribute("class", kind);
  if (stroke) { made.setAttribute("stroke", stroke); made.setAttribute("fill", fill); }
  return made;
}
