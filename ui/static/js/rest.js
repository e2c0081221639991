// Isengard's own REST API. A refusal carries the API's message and hint, so that they are shown as they stand.

const BASE = new URL('.', window.location.href);
const url = (path) => new URL(path, BASE).href;

const token = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, '0')).join('');

class Refused extends Error {
  constructor(problem) {
    super(problem.detail || problem.title || 'Isengard refused this.');
    this.hint = problem.hint || '';
  }
}

const refusal = (text, status) => {
  try {
    return new Refused(JSON.parse(text));
  } catch {
    return new Refused({ detail: `Isengard answered with status ${status}.`, hint: 'Reload the page and try again.' });
  }
};

// The session is over, here or in another tab: the page that asks for the password comes back to this place.
const logInAgain = () => window.location.assign(url(`login?next=${encodeURIComponent(location.pathname + location.search)}`));

const rest = async (method, path, { json, form } = {}) => {
  const headers = { Accept: 'application/json', 'X-Correlation-ID': `web-${token()}` };
  if (method === 'POST') headers['Idempotency-Key'] = token();
  if (json !== undefined) headers['Content-Type'] = 'application/json';
  let answer;
  try {
    answer = await fetch(url(path), { method, headers, body: json === undefined ? form : JSON.stringify(json) });
  } catch {
    throw new Refused({ detail: 'Isengard does not answer.', hint: 'Check that it is running, then try again.' });
  }
  if (answer.status === 401) logInAgain();
  const text = await answer.text();
  if (!answer.ok) throw refusal(text, answer.status);
  return text ? JSON.parse(text) : null;
};

const get = (path) => rest('GET', path);
const post = (path, json) => rest('POST', path, { json });
const put = (path, json) => rest('PUT', path, { json });
const patch = (path, json) => rest('PATCH', path, { json });
const erase = (path) => rest('DELETE', path);

// Asks and shows what came; an answer that comes after a newer question is dropped, for it may be the older state.
const newest = (question, show) => {
  let turn = 0;
  return async (...given) => {
    const mine = ++turn;
    const answer = await question(...given);
    if (mine === turn) show(answer);
  };
};

// Few files at a time, with their progress: fetch cannot tell how much of a body has left. Names keep their folders.
const sendFiles = (path, files, onProgress) =>
  new Promise((resolve, reject) => {
    const form = new FormData();
    for (const { file, path: name } of files) form.append('files', file, name);
    const request = new XMLHttpRequest();
    request.open('POST', url(path));
    request.setRequestHeader('X-Correlation-ID', `web-${token()}`);
    request.setRequestHeader('Idempotency-Key', token());
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () => {
      if (request.status < 400) resolve(JSON.parse(request.responseText));
      else reject(refusal(request.responseText, request.status));
    };
    request.onerror = () =>
      reject(new Refused({ detail: 'The connection was lost.', hint: 'Choose the file again to send it once more.' }));
    request.send(form);
  });
