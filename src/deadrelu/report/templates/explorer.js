// Show measured rates and a few functions for the chosen depth, width and initializer. The data are in the page.
"use strict";
{
  const explorer = document.getElementById("explorer");
  const data = explorer && JSON.parse(document.getElementById("explorer-data").textContent);
  const percent = (share) => (share > 0 && share < 0.0095 ? (100 * share).toFixed(2) : (100 * share).toFixed(1)) + " %";
  const count = (n) => n.toLocaleString("en");

  function svg(name, attributes, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  const between = (low, high) => (low === high ? percent(low) : `between ${percent(low)} and ${percent(high)}`);

  // Draw a measured rate and its interval on an axis from 0 to 1, and behind them the theoretical value or bounds, if any.
  function scale(picture, [networks, dead, low, high], theory) {
    picture.replaceChildren();
    const x = (share) => 14 + 332 * share;
    picture.append(svg("line", { class: "axis", x1: x(0), x2: x(1), y1: 34, y2: 34 }));
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      picture.append(svg("line", { class: "axis", x1: x(share), x2: x(share), y1: 34, y2: 39 }));
      picture.append(svg("text", { x: x(share), y: 54, "text-anchor": "middle" }, `${100 * share} %`));
    }
    if (theory && theory[0] !== theory[1])
      picture.append(svg("rect", { class: "band", x: x(theory[0]), width: x(theory[1]) - x(theory[0]), y: 9, height: 18 }));
    else if (theory) picture.append(svg("line", { class: "theory", x1: x(theory[0]), x2: x(theory[0]), y1: 6, y2: 30 }));
    picture.append(svg("line", { class: "interval", x1: x(low), x2: x(high), y1: 18, y2: 18 }));
    picture.append(svg("circle", { class: "rate", cx: x(dead / networks), cy: 18, r: 5 }));
  }

  // Draw the functions of networks, constant ones dashed, over `target` if there is one. Return a description of them.
  function curves(picture, xs, { constant, values: networks }, target) {
    picture.replaceChildren();
    if (!networks.length) return "not kept for grids this large";
    const [left, right, top, bottom] = [52, 352, 12, 186];
    const all = networks.flat().concat(target ? target[1] : []);
    let [least, most] = [Math.min(0, ...all), Math.max(0, ...all)];
    if (most === least) [least, most] = [-1, 1];
    const x = (value) => left + ((right - left) * (value - xs[0])) / (xs.at(-1) - xs[0]);
    const y = (value) => bottom - ((bottom - top) * (value - least)) / (most - least);
    const path = (us, vs) => us.map((u, at) => `${at ? "L" : "M"}${x(u).toFixed(1)} ${y(vs[at]).toFixed(1)}`).join("");
    picture.append(svg("line", { class: "axis", x1: left, x2: right, y1: y(0), y2: y(0) }));
    picture.append(svg("line", { class: "axis", x1: left, x2: left, y1: top, y2: bottom }));
    for (const value of new Set([least, most]))
      picture.append(svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, Number(value.toPrecision(2))));
    for (const value of [xs[0], 0, xs.at(-1)])
      picture.append(svg("text", { x: x(value), y: bottom + 18, "text-anchor": "middle" }, Number(value.toPrecision(3))));
    if (target) picture.append(svg("path", { class: "target", d: path(...target) }));
    networks.forEach((values, at) =>
      picture.append(svg("path", { class: constant[at] ? "network dead" : "network", d: path(xs, values) })),
    );
    return `${networks.length} such networks, ${constant.filter(Boolean).length} of them constant (dashed)`;
  }

  function show() {
    const [depth, width] = ["depth", "width"].map((name) => Number(explorer.querySelector(`[name=${name}]`).value));
    const chosen = data.initializers[Number(explorer.querySelector("[name=initializer]").value)];
    explorer.querySelector("[for=explorer-depth] output").value = depth;
    explorer.querySelector("[for=explorer-width] output").value = width;
    const cell = chosen.cells[`${depth},${width}`];
    const say = (name, text) => (explorer.querySelector(`[data-says=${name}]`).textContent = text);
    const sentence = ([n, dead, low, high], what) =>
      `${percent(dead / n)} ${what} (95 % interval ${percent(low)} to ${percent(high)}; ${count(dead)} of ${count(n)}). `;
    const theory = cell.theory ? `Theory: ${between(...cell.theory)}.` : "No closed form is known for it.";
    say("untrained", sentence(cell.untrained, "are dead at initialization") + theory);
    scale(explorer.querySelector("[data-draws=untrained]"), cell.untrained, cell.theory);
    say("functions", `What they compute: ${curves(explorer.querySelector("[data-draws=functions]"), chosen.x, cell.functions)}.`);
    const trained = explorer.querySelector(".trained");
    trained.classList.toggle("empty", !cell.trained);
    for (const picture of trained.querySelectorAll("svg")) picture.style.visibility = cell.trained ? "visible" : "hidden";
    if (cell.trained) {
      scale(explorer.querySelector("[data-draws=trained]"), cell.trained, null);
      const learned = curves(explorer.querySelector("[data-draws=learned]"), data.x, cell.learned, data.target);
      say("trained", sentence(cell.trained, "collapsed after training"));
      say("learned", `What they learned, over the target: ${learned}.`);
    } else {
      say("trained", chosen.trained ? `Only networks of ${data.trained} were trained.` : "No network of this initialization was trained in this grid.");
      say("learned", "");
    }
  }

  if (explorer) {
    explorer.hidden = false;
    explorer.addEventListener("input", show);
    show();
  }
}
