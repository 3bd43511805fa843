// Draw the playground's pictures as SVG: functions over their target, a network's units and weights, and losses.
"use strict";
var deadreluPictures = (() => {
  function svg(name, attributes, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }
  const grid = (target) => [...deadreluTrial.grid(target)];
  function path(xs, ys, x, y) {
    return [...ys].map((v, k) => `${k ? "L" : "M"}${x(xs[k]).toFixed(1)} ${y(v).toFixed(1)}`).join("");
  }
  const within = (value, low, high) => (Number.isFinite(value) ? Math.min(Math.max(value, low), high) : 0);

  function small(xs, goal, curve, outcome, end) {
    const picture = svg("svg", { viewBox: "0 0 60 40", class: `outcome ${outcome}` });
    const [least, most] = [Math.min(...goal) - 0.5, Math.max(...goal) + 0.5];
    const x = (v) => 2 + (56 * (v + end)) / (2 * end), y = (v) => 38 - (36 * (within(v, least, most) - least)) / (most - least);
    picture.append(svg("path", { class: "target", d: path(xs, goal, x, y) }), svg("path", { class: "network", d: path(xs, curve, x, y) }));
    return picture;
  }

  function drawFunction(picture, settings, curve) {
    const xs = grid(settings.target), { of, end } = deadreluTrial.TARGETS[settings.target];
    const goal = xs.map(of), [least, most] = [Math.min(...goal) - 0.6, Math.max(...goal) + 0.6];
    const x = (v) => 30 + (330 * (v + end)) / (2 * end), y = (v) => 205 - (190 * (within(v, least, most) - least)) / (most - least);
    picture.replaceChildren(
      svg("line", { class: "axis", x1: 30, x2: 360, y1: y(0), y2: y(0) }),
      svg("path", { class: "target", d: path(xs, goal, x, y) }),
      svg("path", { class: "network", d: path(xs, curve, x, y) }),
      ...[-end, 0, end].map((v) => svg("text", { x: x(v), y: 222, "text-anchor": "middle" }, Number(v.toPrecision(3)))),
      svg("text", { x: 8, y: 14 }, "target (wide), prediction (thin)"),
      svg("text", { x: 374, y: y(0) - 6, "text-anchor": "end" }, "x"),
    );
  }

  const MAX_EDGES = 3000;
  function drawNetwork(picture, own) {
    const { sizes } = own.network, silent = own.silentUnits(), layers = own.layers;
    const x = (l) => 20 + (340 * l) / (sizes.length - 1), y = (l, j) => 115 + ((j - (sizes[l] - 1) / 2) * 200) / Math.max(2, ...sizes);
    const weights = own.weightsOf(0), largest = Math.max(1e-9, ...weights.map(Math.abs)), edges = [], units = [];
    const radius = Math.max(2, Math.min(8, 80 / Math.max(...sizes)));
    if (weights.length <= MAX_EDGES)
      layers.forEach(({ fanIn, fanOut, kernel }, l) => {
        for (let i = 0; i < fanIn; i++)
          for (let j = 0; j < fanOut; j++) {
            const weight = weights[kernel + i * fanOut + j], width = Math.min(1, Math.abs(weight) / largest);
            edges.push(svg("line", { class: weight < 0 ? "edge below" : "edge", x1: x(l), y1: y(l, i), x2: x(l + 1), y2: y(l + 1, j), "stroke-width": (0.3 + 3.2 * (width || 0)).toFixed(2) }));
          }
      });
    sizes.forEach((size, l) => {
      const first = sizes.slice(0, l).reduce((a, b) => a + b, 0), hidden = l > 0 && l + 1 < sizes.length;
      for (let j = 0; j < size; j++)
        units.push(svg("circle", { class: hidden && silent[first + j] ? "unit dead" : "unit", cx: x(l), cy: y(l, j), r: radius }));
    });
    picture.replaceChildren(...edges, ...units);
    const all = sizes.slice(1, -1).reduce((a, b) => a + b, 0), dead = silent.slice(1, 1 + all).reduce((a, b) => a + b, 0);
    return { all, dead };
  }

  function drawLoss(picture, losses, epochs, constant) {
    const finite = losses.filter(Number.isFinite), most = Math.max(1e-9, constant, ...finite);
    const x = (k) => 40 + (320 * k) / Math.max(1, epochs - 1), y = (v) => 100 - (85 * within(v, 0, most)) / most;
    picture.replaceChildren(
      svg("line", { class: "axis", x1: 40, x2: 360, y1: 100, y2: 100 }),
      svg("line", { class: "axis", x1: 40, x2: 40, y1: 15, y2: 100 }),
      svg("text", { x: 36, y: 20, "text-anchor": "end" }, Number(most.toPrecision(2))),
      svg("line", { class: "constant", x1: 40, x2: 360, y1: y(constant), y2: y(constant) }),
      svg("text", { x: 358, y: y(constant) - 4, "text-anchor": "end" }, "the best constant"),
      svg("text", { x: 200, y: 122, "text-anchor": "middle" }, `loss, ${losses.length} of ${epochs} epochs`),
      svg("path", { class: "network", d: path(losses.map((_, k) => k), losses, x, y) }),
      ...losses.map((v, k) => svg("circle", { class: "unit", cx: x(k), cy: y(v), r: 2.5 })),
    );
  }

  return { svg, path, small, drawFunction, drawNetwork, drawLoss };
})();
