/**
 * Node.js opens its inspector on 127.0.0.1:9229 at SIGUSR1, and whoever connects there runs code with the capabilities of
 * this process. A listener takes the signal from it (https://nodejs.org/api/process.html#signal-events).
 */
process.on('SIGUSR1', () => {});
