// How V8 is set for the engine: its steps are short and many, so what is compiled to the limit is mostly thrown away with the process.
// A third less CPU for a first run of 1,000 steps and 20 MB less; a warm step of a long run costs a tenth more.
/** Only when a process starts; they stand in the first line of th.mjs and smithers.mjs, too. Node 20 must know them: it says there what it lacks.
 *  `--no-lazy`: Node's compile cache keeps what was compiled before the first line ran. With it that is every function, and a start compiles none. */
export const START_FLAGS = ["--no-maglev", "--initial-old-space-size=64", "--min-semi-space-size=4", "--no-lazy"];
/** At any time, by `node:v8`, which takes 17 ms to load: for hosts and others that run the engine, not for every command. */
export const ENGINE_FLAGS = ["--invocation-count-for-turbofan=20000"];
