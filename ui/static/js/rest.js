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
  const text = await answer.text();
  if (!answer.ok) throw refusal(text, answer.status);
  return text ? JSON.parse(text) : null;
};

const get = (path) => rest('GET', path);
const post = (path, json) => rest('POST', path, { json });
const patch = (path, json) => rest('PATCH', path, { json });
const erase = (path) => rest('DELETE', path);

// One file at a time, with its progress: fetch cannot tell how much of a body has left.
const sendFile = (path, file, onProgress) =>
  new Promise((resolve, reject) => {
    const form = new FormData();
    form.append('files', file, file.name);
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
