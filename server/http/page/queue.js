// Work that waits, so that many pictures do not arrive at the server at the same time.

const AT_ONCE = 3;
const waiting = [];
let running = 0;

// Run `work` as soon as a place is free. It has to handle its own errors.
export function enqueue(work) {
  waiting.push(work);
  next();
}

function next() {
  while (running < AT_ONCE && waiting.length) {
    running += 1;
    waiting.shift()().finally(() => {
      running -= 1;
      next();
    });
  }
}
