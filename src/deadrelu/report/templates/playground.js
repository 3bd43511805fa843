// The playground's user interface: settings, a hundred networks, one network, the whole experiment and a dying layer.
"use strict";
if (typeof document !== "undefined" && document.getElementById("playground")) {
  const part = (id) => document.getElementById(id);
  const parsed = (id) => JSON.parse(part(id).textContent);
  const data = parsed("playground-data"), programs = parsed("playground-programs"), playground = part("playground");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const { TARGETS, OUTCOMES } = deadreluTrial, { small, drawFunction, drawNetwork, drawLoss } = deadreluPictures;
  const say = (text, id = "p-status") => (part(id).textContent = text);

  // ---- settings -----------------------------------------------------------------------------------------------------

  const fields = ["target", "activation", "slope", "depth", "width", "initializer", "rate", "epochs", "biases", "narrow"];
  const field = (name) => part(`p-${name}`);
  const presetOf = (key) => data.presets.find((preset) => preset.key === key);
  const common = { batch: 64, points: 3000, seed: 1, tolerance: data.tolerance };

  function fill(preset) {
    for (const name of fields) {
      if (field(name).type === "checkbox") field(name).checked = preset[name];
      else if (name !== "slope" || preset.slope) field(name).value = preset[name];
    }
    settle();
  }
  function settle() {
    field("slope").disabled = field("activation").value !== "leaky_relu";
    if (field("initializer").value === "rai") field("biases").checked = true; // RAI draws biases
    field("biases").disabled = field("initializer").value === "rai";
    field("narrow").disabled = field("depth").value === "1"; // a single hidden layer has the chosen width
    for (const name of ["depth", "width"]) playground.querySelector(`[for=p-${name}] output`).value = field(name).value;
  }
  // Return the settings of the form, or a sentence about the first one that is invalid.
  function chosen() {
    const preset = presetOf(part("p-preset").value) || data.presets[0];
    const settings = { ...common, ...(preset ? { batch: preset.batch, points: preset.points } : {}) };
    for (const name of [...fields, "seed"]) {
      const input = field(name);
      settings[name] = input.type === "checkbox" ? input.checked : input.tagName === "SELECT" ? input.value : Number(input.value);
      if (!input.disabled && !input.checkValidity()) {
        const label = playground.querySelector(`[for=p-${name}]`).textContent;
        return `${label}: received ${input.value || "nothing"}; expected: ${input.min} to ${input.max}.`;
      }
    }
    if (settings.activation !== "leaky_relu") settings.slope = 0;
    return settings;
  }

  // Return the settings as a URL fragment, such as #relu-10x2-seed1, followed by those that differ from the first preset.
  const BEHIND = ["target", "slope", "initializer", "rate", "epochs", "biases", "narrow"];
  function address(settings) {
    const usual = data.presets[0] || {};
    const more = BEHIND.filter((name) => settings[name] !== (usual[name] ?? "") && (name !== "slope" || settings.slope));
    const rest = more.map((name) => `&${name}=${settings[name]}`).join("");
    return `#${settings.activation}-${settings.depth}x${settings.width}-seed${settings.seed}${rest}`;
  }
  function fromAddress() {
    const [, activation, depth, width, seed, rest] = location.hash.match(/^#([a-z_]+)-(\d+)x(\d+)-seed(\d+)((?:&\w+=[\w.-]+)*)$/) || [];
    if (!activation || ![...field("activation").options].some(({ value }) => value === activation)) return false;
    const given = Object.fromEntries(rest.split("&").filter(Boolean).map((pair) => pair.split("=")));
    const usual = { ...(data.presets[0] || {}), ...given, activation, depth, width };
    for (const name of ["biases", "narrow"]) usual[name] = String(usual[name]) === "true";
    fill(usual);
    part("p-preset").value = "";
    field("seed").value = seed;
    return true;
  }

  // ---- a hundred networks -------------------------------------------------------------------------------------------

  const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;
  function wilson(count, n, z = 1.959963984540054) {
    const share = count / n, centre = (share + z ** 2 / (2 * n)) / (1 + z ** 2 / n);
    const half = (z / (1 + z ** 2 / n)) * Math.sqrt((share * (1 - share)) / n + z ** 2 / (4 * n ** 2));
    return [count === 0 ? 0 : centre - half, count === n ? 1 : centre + half];
  }
  const rateOf = (count, n) => {
    const [low, high] = wilson(count, n);
    return `${percent(count / n)} (95\u00a0% interval ${percent(low)} to ${percent(high)})`;
  };
  const interval = ([rate, low, high]) => `${percent(rate)} (${percent(low)} to ${percent(high)})`;
  const constant = (counts) => deadreluTrial.CONSTANT.reduce((sum, outcome) => sum + counts[outcome], 0);
  let run = 0;

  // Train networks in workers and call `done` with each. The promise resolves when all are done or `stopped()` returns true.
  function trained(settings, networks, done, stopped) {
    const size = deadreluTrial.NETWORKS_PER_TASK, tasks = [];
    for (let k = 0; k < networks; k += size) tasks.push([settings, Array.from({ length: Math.min(size, networks - k) }, (_, at) => k + at)]);
    return deadreluWorkers.all(programs, "run", tasks, (trials) => trials.forEach(done), stopped);
  }

  let last = "";
  // Start a new run and return its settings, or null if one is invalid. Unchanged settings get the next seed.
  function settled() {
    const settings = chosen();
    if (typeof settings === "string") return say(settings), null;
    if (address(settings) === last) field("seed").value = settings.seed += 1;
    last = address(settings);
    history.replaceState(null, "", last);
    halt();
    run += 1;
    part("p-stop").disabled = false;
    return settings;
  }

  async function many(networks = 100) {
    const settings = settled();
    if (!settings) return;
    const mine = run, begun = performance.now(), counts = Object.fromEntries(OUTCOMES.map(([outcome]) => [outcome, 0]));
    part("p-many").hidden = false;
    part("p-multiples").replaceChildren();
    let [finished, fits] = [0, 0];
    const end = TARGETS[settings.target].end, xs = [...deadreluTrial.grid(settings.target)], goal = xs.map(TARGETS[settings.target].of);
    await trained(
      settings,
      networks,
      ({ outcome, curve, fits: fit }) => {
        if (mine !== run) return;
        counts[outcome] += 1;
        finished += 1;
        fits += fit;
        part("p-multiples").append(small(xs, goal, curve, outcome, end));
        tally(counts, finished, networks, settings, fits);
        say(`${finished} of ${networks} networks are trained.`);
      },
      () => mine !== run,
    );
    if (mine !== run) return;
    part("p-stop").disabled = true;
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    const names = OUTCOMES.filter(([outcome]) => counts[outcome]).map(([outcome, name]) => `${counts[outcome]} ${name}`);
    say(`${networks} networks in ${seconds} s: ${names.join(", ")}.`);
  }

  function tally(counts, n, networks, settings, fits) {
    const bars = OUTCOMES.filter(([outcome]) => outcome !== "diverged" || counts.diverged).map(([outcome, name]) => {
      const row = document.createElement("div");
      row.className = "bar";
      row.innerHTML = "<span></span><span class=track><span></span></span><span></span>";
      const [label, track, number] = row.children;
      label.textContent = name;
      track.firstChild.className = `outcome ${outcome}`;
      track.firstChild.style.width = `${(100 * counts[outcome]) / networks}%`;
      number.textContent = counts[outcome];
      return row;
    });
    part("p-tally").replaceChildren(...bars);
    let text = `Constant after training here: ${rateOf(constant(counts), n)}.`;
    const preset = presetOf(part("p-preset").value);
    if (preset) {
      const length = preset.epochs === settings.epochs ? "" : `, after ${preset.epochs} epochs`;
      text += ` In the pipeline: ${interval(preset.measured)}${length}.`;
    }
    const [from, to] = theory(settings) || [];
    if (from !== undefined)
      text += ` Theory, dead at initialization: ${from === to ? percent(from) : `${percent(from)} to ${percent(to)}`}; here ${percent(counts.born_dead / n)}.`;
    say(`${text} ${fits} of ${n} networks have a loss below half of the best constant's.`, "p-rates");
  }

  // Return both bounds of the probability of being dead at initialization, or null: see src/deadrelu/analysis/theory.py.
  function theory({ activation, initializer, depth, width, narrow }) {
    if (activation !== "relu" || initializer === "rai") return null;
    const widths = deadreluTrial.sizesOf({ depth, width, narrow }).slice(1, -1);
    return [0.25, 0.5].map((q) => {
      let [both, survives] = [0, 1];
      for (let at = widths.length - 1; at >= 0; at--) {
        const one = 2 ** -widths[at], stop = at === 0 ? 0 : at === 1 ? 0.25 ** widths[at] : q ** widths[at];
        both = stop + 2 * (one - stop) * (1 - survives) + (1 - 2 * one + stop) * both;
        survives *= 1 - one;
      }
      return both;
    });
  }

  // ---- one network --------------------------------------------------------------------------------------------------

  let one = null;
  function halt() {
    if (!one) return;
    clearTimeout(one.timer);
    one.running = false;
    for (const id of ["p-pause", "p-step"]) part(id).disabled = true;
  }
  async function begin() {
    const settings = settled();
    if (!settings) return;
    const mine = run, { about, training, initial, x, y, order, rows } = deadreluTrial.started(settings, [0]);
    const own = await deadreluEngine.Trainers.of(about, training, initial, x, y, [order(0)], true);
    if (mine !== run) return;
    if (one) one.own.release();
    one = { settings, own, y, rows, before: own.predict()[0], losses: [], step: 0, running: true, constant: deadreluTrial.bestConstant(y) };
    part("p-one").hidden = false;
    part("p-one").scrollIntoView({ block: "nearest" });
    say(`The network of seed ${settings.seed} is in training.`);
    for (const id of ["p-pause", "p-step"]) part(id).disabled = false;
    showOne();
    proceed();
  }
  function batches(count) {
    const { own, settings } = one;
    for (let left = count; left > 0 && one.losses.length < settings.epochs; ) {
      if (one.step === 0) own.startEpoch(one.rows(one.losses.length));
      const end = Math.min(own.steps, one.step + left);
      own.batches(one.step, end);
      left -= end - one.step;
      one.step = end % own.steps;
      if (one.step === 0) {
        one.losses.push(own.losses()[0]);
        if (still.matches) break; // reduced motion: draw once per epoch
      }
    }
  }
  const SPEEDS = { slow: 1, medium: 5, fast: Infinity };
  function proceed() {
    part("p-pause").textContent = one.running ? "Pause" : "Go on";
    if (!one.running) return;
    const { steps } = one.own, speed = still.matches ? steps : Math.min(SPEEDS[part("p-speed").value], steps);
    batches(speed - (speed === steps ? one.step : 0));
    showOne();
    if (one.losses.length < one.settings.epochs) one.timer = setTimeout(proceed, still.matches ? 300 : 30);
    else finish();
  }
  function finish() {
    const after = one.own.predict()[0], outcome = deadreluTrial.outcomeOf(one.before, after, one.own.x, data.tolerance);
    const loss = deadreluTrial.lossOf(after, one.y), numbers = `loss ${Number(loss.toPrecision(3))}, the best constant's ${Number(one.constant.toPrecision(3))}`;
    halt();
    part("p-stop").disabled = true;
    say(`The network of seed ${one.settings.seed}: ${OUTCOMES.find(([name]) => name === outcome)[1]}; ${numbers}.`);
  }
  function stepOne() {
    clearTimeout(one.timer);
    one.running = false;
    part("p-pause").textContent = "Go on";
    batches(one.own.steps - one.step);
    showOne();
    if (one.losses.length >= one.settings.epochs) finish();
  }
  function showOne() {
    const { own, settings, losses } = one, xs = deadreluTrial.grid(settings.target);
    drawFunction(part("p-function"), settings, own.predict(xs)[0]);
    const { all, dead } = drawNetwork(part("p-network"), own);
    drawLoss(part("p-loss"), losses, settings.epochs, one.constant);
    say(`Dead units (0 on all points, dark): ${dead} of ${all}. Edges: the wider, the larger the weight; dashed: below 0.`, "p-state");
  }

  // ---- the whole experiment -----------------------------------------------------------------------------------------

  const experiment = deadreluExperiment.of(data.proof, programs, data.tolerance);

  async function everything() {
    halt();
    run += 1;
    const mine = run, begun = performance.now(), all = experiment.cases.reduce((sum, { trials }) => sum + trials, 0);
    part("p-stop").disabled = part("p-stop-all").disabled = false;
    const list = part("p-proofs");
    const shown = (results) => {
      const done = results.reduce((sum, result) => sum + result.done, 0);
      part("p-progress").value = done / all;
      const lines = results.filter((result) => result.done).map((result) => {
        const line = document.createElement("p"), there = result.notebook === null ? "" : `; the notebook printed ${percent(result.notebook)}`;
        line.textContent =
          `${result.name}: ${rateOf(result.constant, result.done)} of ${result.done.toLocaleString("en")} are constant after training here; ` +
          `in the pipeline ${interval(result.measured)}${there}. Same bits as in the tables: ` +
          `${result.equal.toLocaleString("en")} of ${result.total.toLocaleString("en")} numbers.`;
        return line;
      });
      const wrong = results.flatMap((result) => result.wrong).slice(0, 20).map((text) => {
        const line = document.createElement("p");
        line.className = "differs";
        line.textContent = text;
        return line;
      });
      list.replaceChildren(...lines, ...wrong);
    };
    const next = { at: 0 };
    const results = await experiment.run(
      (partial) => {
        if (mine === run && performance.now() > next.at) (shown(partial), (next.at = performance.now() + 100));
      },
      () => mine !== run,
    );
    part("p-stop-all").disabled = true;
    if (mine !== run) return;
    part("p-stop").disabled = true;
    shown(results);
    const seconds = (performance.now() - begun) / 1000, sum = (name) => results.reduce((n, result) => n + result[name], 0);
    const equal = `${sum("equal").toLocaleString("en")} of ${sum("total").toLocaleString("en")}`;
    say(`${all.toLocaleString("en")} networks in ${seconds.toFixed(1)} s: ${equal} losses and weights have the bits of the tables.`, "p-all");
  }

  // ---- a dying layer ------------------------------------------------------------------------------------------------

  let death = null;
  async function die() {
    const about = experiment.cases.find(({ key }) => key === data.death.case);
    if (!death) {
      say("The network is trained once, and its weights are kept.", "p-dying");
      death = await deadreluDeath.recorded(experiment.given(about), experiment.points, data.proof.seed, data.death.trial);
      death.xs = deadreluTrial.grid(data.death.target);
      part("p-moment").max = Math.min(death.weights.length - 1, death.death + deadreluDeath.AFTER);
      part("p-moment").disabled = false;
      part("p-dies").hidden = false;
    }
    if (death.timer || Number(part("p-moment").value) >= Number(part("p-moment").max)) part("p-moment").value = death.timer ? part("p-moment").value : 0;
    death.timer ? rest() : turn();
  }
  function rest() {
    clearTimeout(death.timer);
    death.timer = null;
    part("p-die").textContent = "Go on";
  }
  function turn() {
    part("p-die").textContent = "Pause";
    moment();
    const at = Number(part("p-moment").value);
    if (at >= Number(part("p-moment").max)) return rest(), (part("p-die").textContent = "Once more");
    death.timer = setTimeout(() => ((part("p-moment").value = at + 1), turn()), still.matches ? 400 : 60);
  }
  function moment() {
    const at = Number(part("p-moment").value), below = deadreluDeath.draw(part("p-layer"), death, at, death.xs);
    const state = at >= death.death ? "All its units are 0 on all training inputs: no gradient passes through the layer." : below ? "All its units are 0 at the inputs that are drawn." : "Some unit is above 0 at some input.";
    say(`Hidden layer ${death.layer + 1} before batch ${at + 1}. ${state}`, "p-dying");
  }

  // ---- functions for scripts, and buttons ---------------------------------------------------------------------------

  // Train networks and return the number of each outcome. Settings not given are those of `preset` or the first preset.
  async function count({ networks = 100, preset, ...given } = {}) {
    const settings = deadreluTrial.checked({ ...(presetOf(preset) || {}), ...given }, { ...(data.presets[0] || {}), ...common });
    const counts = Object.fromEntries([["networks", networks], ...OUTCOMES.map(([outcome]) => [outcome, 0])]);
    await trained(settings, networks, ({ outcome }) => (counts[outcome] += 1));
    return { ...counts, collapsed: constant(counts) };
  }

  const safely = (action) => async () => {
    try {
      await action();
    } catch (error) {
      say(`This browser could not do that: ${error.message}. Nothing else is affected.`);
    }
  };
  function stop() {
    halt();
    run += 1;
    part("p-stop").disabled = part("p-stop-all").disabled = true;
    say("Stopped.");
  }

  playground.hidden = false;
  if (deadreluEngine.load(programs)) {
    window.deadrelu = { train: experiment.train, count, prove: experiment.prove, cases: data.proof.cases };
    if (data.presets.length) fill(data.presets[0]);
    fromAddress();
    part("p-preset").addEventListener("change", () => presetOf(part("p-preset").value) && fill(presetOf(part("p-preset").value)));
    for (const name of fields)
      field(name).addEventListener("input", () => {
        part("p-preset").value = "";
        settle();
      });
    for (const name of [...fields, "preset", "seed"]) field(name).addEventListener("input", halt); // settings have changed
    addEventListener("hashchange", fromAddress);
    part("train-many").addEventListener("click", safely(() => many()));
    part("train-one").addEventListener("click", safely(begin));
    part("p-stop").addEventListener("click", stop);
    part("p-stop-all").addEventListener("click", stop);
    part("p-pause").addEventListener("click", safely(() => ((one.running = !one.running), clearTimeout(one.timer), proceed())));
    part("p-step").addEventListener("click", safely(stepOne));
    if (experiment.cases.length) part("train-all").addEventListener("click", safely(everything));
    else part("experiment").hidden = true;
    if (data.death) {
      part("p-die").addEventListener("click", safely(die));
      part("p-moment").addEventListener("input", () => (death.timer && rest(), moment()));
    } else part("death").hidden = true;
  } else {
    for (const element of [...playground.children]) element.hidden = element.id !== "playground-title";
    const text = "This browser has no WebAssembly with vectors, which trains the networks here; the figures below show what becomes of them.";
    playground.append(Object.assign(document.createElement("p"), { textContent: text }));
  }
}
