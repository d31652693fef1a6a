// A script that comes later: one that is lost on the way, as while the dashboard is away, is asked for again until it is there.
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;

export async function arrived(load, wait = FIRST_WAIT_MS) {
  try {
    return await load();
  } catch (error) {
    if (!lost(error)) throw error;
    await new Promise((done) => setTimeout(done, wait));
    return arrived(load, Math.min(2 * wait, LONGEST_WAIT_MS));
  }
}

// What a script itself throws is no loss. A browser that keeps a failure, as older ones do, has the script after the next page load.
const lost = (error) => error instanceof TypeError && /imported module|module script/i.test(error.message);
