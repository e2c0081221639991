// Live events. One connection per browser, not per tab: over plain HTTP a browser allows six connections to a host,
// and a seventh tab would hang. The tab that holds the lock listens and passes on what it hears.

const bus = (() => {
  const listeners = new Map();
  const channel = new BroadcastChannel('isengard');
  const hear = ({ type, payload }) => (listeners.get(type) || []).forEach((listener) => listener(payload));
  const tell = (type, payload) => {
    channel.postMessage({ type, payload });
    hear({ type, payload });
  };
  channel.onmessage = (message) => hear(message.data);

  const listen = () => {
    const source = new EventSource(url('api/events'));
    source.addEventListener('progress', (event) => tell('progress', JSON.parse(event.data)));
    source.onopen = () => tell('connection', true);
    source.onerror = () => tell('connection', false);
    return new Promise(() => {}); // holds the lock for as long as this tab lives
  };

  return {
    on: (type, listener) => listeners.set(type, [...(listeners.get(type) || []), listener]),
    tell,
    tellHere: (type, payload) => hear({ type, payload }),
    start: () => (navigator.locks ? navigator.locks.request('isengard-events', listen) : listen()),
  };
})();
