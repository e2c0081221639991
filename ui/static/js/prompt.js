// The prompt: whether it names the character, and one click that adds what is missing.

const promptField = () => document.querySelector('#image-prompt textarea');

// Gradio hears of a text as if it had been typed.
const writePrompt = (text) => {
  const area = promptField();
  area.value = text;
  area.dispatchEvent(new Event('input', { bubbles: true }));
};

let drawTrigger = () => {};
const written = { text: '', eachLine: false };
const prompted = (text, eachLine) => {
  Object.assign(written, { text: text || '', eachLine });
  drawTrigger();
};

const promptLines = () => {
  if (!written.eachLine) return [written.text];
  const lines = written.text.split('\n').filter((line) => line.trim());
  return lines.length ? lines : [''];
};

const missingIn = (line, words) => words.filter((word) => !line.toLowerCase().includes(word.toLowerCase()));

const withWords = (line, words) => {
  const named = missingIn(line, words).join(' and ');
  if (!named) return line;
  return line.trim() ? `${named}, ${line.trim()}` : `a picture of ${named}`;
};

const listed = (words) => words.flatMap((word, i) => [i > 0 && ' and ', h('code', {}, word)]);

views.trigger = (element, _trigger, props, watch) => {
  const words = () => (Array.isArray(props.value) ? props.value : []);
  const add = () => writePrompt(promptLines().map((line) => withWords(line, words())).join('\n'));
  drawTrigger = () => {
    const lines = promptLines();
    const missing = words().filter((word) => lines.some((line) => missingIn(line, [word]).length));
    const plain = !missing.length || !written.text.trim();
    let said = ['The prompt brings the character back by ', listed(words()), '.'];
    if (!missing.length) said = ['The prompt names ', listed(words()), '.'];
    else if (!plain) {
      const where = lines.length > 1 ? 'Some lines do not say ' : 'The prompt does not say ';
      said = [where, listed(missing), ': the character may not appear.'];
    }
    const note = h('p', {}, said);
    const insert = button('Add it', add, { small: true, iconName: 'plus', id: 'image-insert' });
    insert.hidden = !missing.length;
    const look = plain ? '' : 'warn';
    element.replaceChildren(h('div', { class: `isg-trigger ${look}`.trim(), id: 'image-trigger', role: 'status', hidden: !words().length }, note, insert));
  };
  watch('value', () => drawTrigger());
  drawTrigger();
};
