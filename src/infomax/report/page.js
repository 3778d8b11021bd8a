"use strict";
// Reading values off the curves, the map of the embeddings, the copy buttons. All data is in the page.
(() => {
  const tip = document.getElementById("tip");
  const number = (v) => v.toFixed(2).replace("-", "−");

  for (const svg of document.querySelectorAll("svg.curve")) {
    const data = JSON.parse(svg.dataset.curve);
    const [left, right, first, last] = data.x;
    const cursor = svg.querySelector(".cursor");
    const nearest = (points, epoch) =>
      points.reduce((a, b) => (!a || Math.abs(b[0] - epoch) < Math.abs(a[0] - epoch) ? b : a), null);
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
      const epoch = first + ((at - left) / (right - left)) * (last - first);
      const seen = nearest(data.validation, epoch) || nearest(data.train, epoch);
      if (!seen) return;
      const lines = [`epoch ${+seen[0].toFixed(2)}`];
      for (const split of ["validation", "train"]) {
        const near = nearest(data[split], seen[0]);
        if (near) lines.push(`${split === "train" ? "training" : split}  ${number(near[1])} nats`);
      }
      const x = left + ((seen[0] - first) / (last - first || 1)) * (right - left);
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
      cursor.style.visibility = "visible";
      show(lines.join("\n"), event.clientX, event.clientY);
    });
    svg.addEventListener("pointerleave", () => {
      cursor.style.visibility = "hidden";
      tip.hidden = true;
    });
  }

  function show(text, x, y) {
    tip.textContent = text;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 4))}px`;
    tip.style.top = `${y + box.height + 24 > innerHeight ? y - box.height - 12 : y + 16}px`;
  }

  for (const box of document.querySelectorAll(".copy")) {
    const button = box.querySelector("button");
    button.addEventListener("click", async () => {
      const text = box.firstElementChild.innerText.trim();
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(box.firstElementChild);
        button.textContent = "selected";
      }
      setTimeout(() => (button.textContent = "copy"), 1500);
    });
  }

  const heard = document.getElementById("sounds");
  if (heard) {
    const sounds = JSON.parse(heard.textContent);
    let audio = null, card = null;
    const stop = () => {
      if (audio) audio.pause();
      if (card) card.classList.remove("playing");
      audio = card = null;
    };
    for (const player of document.querySelectorAll(".plays")) {
      const press = () => {
        const again = player === card;
        stop();
        if (again) return;
        [audio, card] = [new Audio(sounds[player.dataset.view]), player];
        card.classList.add("playing");
        audio.addEventListener("ended", stop);
        audio.play().catch(stop);
      };
      player.addEventListener("click", press);
      player.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        press();
      });
    }
  }

  const source = document.getElementById("map-data");
  if (source) map(JSON.parse(source.textContent));

  function map(data) {
    const canvas = document.querySelector(".stage canvas");
    const context = canvas.getContext("2d");
    const picture = document.querySelector(".seen .picture");
    const told = document.getElementById("told");
    const legend = document.querySelector(".legend");
    const pictures = document.querySelector('[data-do="pictures"]');
    const player = document.querySelector(".map aside audio");
    const loud = document.querySelector('[data-do="sounds"]');
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const names = data.names || [];
    const count = data.x.length;
    const chosen = new Set();
    const view = { x: 500, y: 500, zoom: 1 };
    let sheet = null, at = -1, drag = null, waiting = false, rest = 0;

    const color = (label) => {
      if (label === undefined) return dark.matches ? "#99a4ff" : "#4753c9";
      const [hue, saturation, light] = data.colours[label];
      return `hsl(${hue} ${saturation}% ${light + (dark.matches ? 23 : 0)}%)`;
    };
    const shown = (i) => !chosen.size || chosen.has(data.label[i]);
    const extent = (values) => Math.max(...values) - Math.min(...values) || 1;
    const [wide, tall] = [extent(data.x), extent(data.y)];
    const scale = () =>
      Math.min((canvas.clientWidth - 50) / wide, (canvas.clientHeight - 90) / tall) * view.zoom;
    const px = (i) => canvas.clientWidth / 2 + (data.x[i] - view.x) * scale();
    const py = (i) => canvas.clientHeight / 2 + 12 + (data.y[i] - view.y) * scale();
    const tile = (i, target, x, y, w, h) => {
      const [tw, th] = data.tile;
      target.drawImage(sheet, (i % data.columns) * tw, Math.floor(i / data.columns) * th, tw, th, x, y, w, h);
    };

    function draw() {
      waiting = false;
      const ratio = devicePixelRatio || 1;
      canvas.width = canvas.clientWidth * ratio;
      canvas.height = canvas.clientHeight * ratio;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      const as = pictures && pictures.getAttribute("aria-pressed") === "true" && sheet;
      const radius = Math.min(7, 3.1 * Math.sqrt(view.zoom)) * (count > 1200 ? 0.9 : 1.15);
      const height = data.tile ? data.tile[1] / data.tile[0] : 1;
      const framed = (i, size) => {
        const [x, y, h] = [px(i), py(i), size * height];
        context.globalAlpha = 1;
        context.fillStyle = color(data.label && data.label[i]);
        context.fillRect(x - size / 2 - 1.5, y - h / 2 - 1.5, size + 3, h + 3);
        tile(i, context, x - size / 2, y - h / 2, size, h);
      };
      const size = 20 * Math.min(3, Math.sqrt(view.zoom));
      for (const pass of [false, true]) {
        for (let i = 0; i < count; i++) {
          if (shown(i) !== pass) continue;
          if (as && pass) {
            framed(i, size);
            continue;
          }
          context.globalAlpha = pass ? 0.82 : 0.08;
          context.fillStyle = color(data.label && data.label[i]);
          context.beginPath();
          context.arc(px(i), py(i), radius, 0, 7);
          context.fill();
        }
      }
      if (at >= 0 && as) framed(at, 2.2 * size);
      else if (at >= 0) {
        context.globalAlpha = 1;
        context.lineWidth = 2.5;
        context.strokeStyle = getComputedStyle(document.body).color;
        context.beginPath();
        context.arc(px(at), py(at), radius + 4, 0, 7);
        context.stroke();
      }
    }
    const redraw = () => {
      if (!waiting) requestAnimationFrame(draw);
      waiting = true;
    };

    function select(i) {
      if (i === at) return;
      at = i;
      redraw();
      if (i < 0) return;
      const label = names[data.label ? data.label[i] : -1];
      told.replaceChildren();
      if (label !== undefined) told.append(Object.assign(document.createElement("b"), { textContent: label }), document.createElement("br"));
      told.append(`context ${data.index[i]}`);
      if (data.texts && data.texts[i]) told.append(document.createElement("br"), `“${data.texts[i]}”`);
      if (data.sounds) sound(data.sounds[i]);
      if (sheet) {
        [picture.width, picture.height] = data.tile;
        tile(i, picture.getContext("2d"), 0, 0, ...data.tile);
        picture.hidden = false;
      }
    }

    // A sound starts once the pointer rests; before a first click browsers refuse, and that is no error.
    function sound(src) {
      clearTimeout(rest);
      player.pause();
      player.hidden = !src;
      if (!src) return player.removeAttribute("src");
      player.src = src;
      if (loud.getAttribute("aria-pressed") === "true") rest = setTimeout(() => player.play().catch(() => {}), 120);
    }

    function under(event, reach) {
      const box = canvas.getBoundingClientRect();
      const x = event.clientX - box.left, y = event.clientY - box.top;
      let best = -1, least = reach * reach;
      for (let i = 0; i < count; i++) {
        const d = (px(i) - x) ** 2 + (py(i) - y) ** 2;
        if (d < least && shown(i)) [best, least] = [i, d];
      }
      return best;
    }

    canvas.addEventListener("pointermove", (event) => {
      if (drag) {
        view.x = drag.vx - (event.clientX - drag.x) / scale();
        view.y = drag.vy - (event.clientY - drag.y) / scale();
        redraw();
        return;
      }
      const i = under(event, 18);
      if (i >= 0) select(i);
    });
    canvas.addEventListener("pointerdown", (event) => {
      select(under(event, 30));
      if (event.pointerType !== "mouse" && view.zoom === 1) return; // a finger scrolls the page
      drag = { x: event.clientX, y: event.clientY, vx: view.x, vy: view.y };
      canvas.setPointerCapture(event.pointerId);
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (drag = null));

    function zoom(by) {
      view.zoom = by ? Math.max(1, Math.min(12, view.zoom * by)) : 1;
      if (by && at >= 0 && by > 1) [view.x, view.y] = [data.x[at], data.y[at]];
      if (view.zoom === 1) view.x = view.y = 500;
      canvas.style.touchAction = view.zoom > 1 ? "none" : "";
      redraw();
    }
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    canvas.addEventListener("keydown", (event) => {
      const way = steps[event.key];
      if (way) {
        let best = at < 0 ? 0 : at, least = Infinity;
        for (let i = 0; i < count; i++) {
          if (i === at || at < 0 || !shown(i)) continue;
          const dx = data.x[i] - data.x[at], dy = data.y[i] - data.y[at];
          const ahead = dx * way[0] + dy * way[1], aside = Math.abs(dx * way[1]) + Math.abs(dy * way[0]);
          if (ahead > 0 && aside <= ahead * 1.2 && ahead + 2 * aside < least) [best, least] = [i, ahead + 2 * aside];
        }
        select(best);
      } else if (event.key === "+" || event.key === "=") zoom(1.5);
      else if (event.key === "-") zoom(1 / 1.5);
      else if (event.key === "0") zoom(0);
      else return;
      event.preventDefault();
    });
    document.querySelector(".tools").addEventListener("click", (event) => {
      const what = event.target.dataset.do;
      if (what === "pictures" || what === "sounds") event.target.setAttribute("aria-pressed", event.target.getAttribute("aria-pressed") !== "true");
      if (what === "sounds") player.pause();
      if (what === "in") zoom(1.5);
      if (what === "out") zoom(1 / 1.5);
      if (what === "reset") zoom(0);
      redraw();
    });

    function labels() {
      legend.replaceChildren();
      names.forEach((name, i) => {
        const button = document.createElement("button");
        const dot = document.createElement("i");
        const text = document.createElement("span");
        button.type = "button";
        button.title = name;
        button.setAttribute("aria-pressed", !chosen.size || chosen.has(i));
        dot.className = "dot";
        dot.style.setProperty("--c", color(i));
        text.textContent = name;
        button.append(dot, text);
        button.addEventListener("click", () => {
          chosen.has(i) ? chosen.delete(i) : chosen.add(i);
          if (chosen.size === names.length) chosen.clear();
          [...legend.children].forEach((b, k) => b.setAttribute("aria-pressed", !chosen.size || chosen.has(k)));
          redraw();
        });
        legend.append(button);
      });
    }
    if (legend) labels();
    dark.addEventListener("change", () => (legend && labels(), redraw()));
    new ResizeObserver(redraw).observe(canvas);
    if (data.sheet) {
      const image = new Image();
      image.onload = () => ((sheet = image), redraw());
      image.src = data.sheet;
    }
    draw();
  }
})();
