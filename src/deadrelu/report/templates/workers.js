// Run the playground's tasks in workers, one per core up to eight, or in the page itself if there are none.
"use strict";
var deadreluWorkers = (() => {
  const SOURCES = ["trainers", "streams", "trial"];
  let address;

  function made(programs) {
    try {
      const sources = SOURCES.map((name) => document.getElementById(`script-${name}`).textContent);
      address ??= `data:text/javascript,${encodeURIComponent(`${sources.join("\n")}\ndeadreluWorker();`)}`;
      const worker = new Worker(address);
      worker.postMessage({ programs });
      return worker;
    } catch {
      return null; // this browser has no workers, or does not allow them here
    }
  }
  const threads = () => Math.max(1, Math.min(navigator.hardwareConcurrency || 2, 8));

  // Run tasks, lists of arguments of deadreluTrial's function `name`, and call `done` with each result and its task's index.
  // Tasks k, k + count, … go to one worker. The promise resolves when all are done or `stopped()` returns true.
  function all(programs, name, tasks, done, stopped = () => false) {
    const waiting = new Set(tasks.keys()), count = Math.min(threads(), tasks.length);
    const finish = (id, results) => waiting.delete(id) && done(results, id);
    const here = async (own) => {
      for (const id of own)
        if (waiting.has(id) && !stopped()) {
          finish(id, await deadreluTrial[name](...tasks[id]));
          await new Promise((next) => setTimeout(next));
        }
    };
    const work = (own) =>
      new Promise((ready, failed) => {
        const worker = made(programs);
        if (!worker) return here(own).then(ready, failed);
        const end = () => (clearInterval(watch), worker.terminate());
        const watch = setInterval(() => stopped() && (end(), ready()), 100);
        let left = own.length;
        worker.onmessage = ({ data: { id, results } }) => {
          if (!stopped()) finish(id, results);
          if (--left === 0) (end(), ready());
        };
        worker.onerror = (event) => {
          event.preventDefault();
          end();
          here(own).then(ready, failed); // the page runs the remaining tasks
        };
        for (const id of own) worker.postMessage({ name, given: tasks[id], id });
      });
    return Promise.all(Array.from({ length: count }, (_, k) => work([...tasks.keys()].filter((id) => id % count === k))));
  }

  return { all };
})();
