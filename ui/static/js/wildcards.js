// Wildcards: one line that explains them, and the editor of the lists that prompts choose from.

const insertIntoPrompt = (text) => {
  const area = promptField();
  const at = area.selectionEnd ?? area.value.length;
  const before = area.value.slice(0, at);
  writePrompt(`${before}${before && !before.endsWith(' ') ? ' ' : ''}${text}${area.value.slice(at)}`);
};

const listForm = async (name, done) => {
  const text = name ? (await get(`api/wildcards/${encodeURIComponent(name)}`)).lines.join('\n') : '';
  const called = h('input', { type: 'text', maxlength: 60, value: name, id: 'list-name', autocomplete: 'off' });
  const lines = h('textarea', { rows: 8, value: text, id: 'list-lines' });
  called.disabled = Boolean(name);
  called.placeholder = 'hair_colour';
  const work = async () => {
    await put(`api/wildcards/${encodeURIComponent(called.value.trim() || ' ')}`, { text: lines.value });
    await done();
  };
  const fields = [
    field('Name', called, 'Small letters, digits, - and _. A prompt uses the list as __name__.'),
    field('Choices', lines, 'One a line. A line may itself hold {a|b} or the name of another list.'),
  ];
  formDialog(name ? `Change ${name}` : 'New list', fields, 'Save', work, { id: 'list-form' });
};

const listRow = (list, close, done) => {
  const token = `__${list.name}__`;
  const remove = () =>
    confirmLoss(`Delete the list ${list.name}?`, 'Prompts that name it are refused from then on.', 'Delete list', async () => {
      await erase(`api/wildcards/${encodeURIComponent(list.name)}`);
      await done();
    });
  return h(
    'article',
    { class: 'isg-lora', 'data-list': list.name },
    h('div', {}, h('code', {}, token), h('p', { class: 'isg-muted isg-oneline' }, list.lines.join(', '))),
    h(
      'div',
      { class: 'isg-actions' },
      button('Insert', () => (insertIntoPrompt(token), close()), { small: true, iconName: 'plus', name: `Insert ${token} into the prompt` }),
      button('Edit', () => listForm(list.name, done), { small: true, iconName: 'pen', name: `Edit the list ${list.name}` }),
      button('', remove, { small: true, iconName: 'trash', look: 'danger', name: `Delete the list ${list.name}` }),
    ),
  );
};

const wordLists = async () => {
  const holder = h('div', { class: 'isg-stack tight', id: 'lists' });
  const load = async () => {
    const names = await get('api/wildcards');
    const lists = await Promise.all(names.map((name) => get(`api/wildcards/${encodeURIComponent(name)}`)));
    const empty = h('p', { class: 'isg-muted' }, 'No lists yet. Make one, such as hair_colour with a colour a line.');
    holder.replaceChildren(...(lists.length ? lists.map((list) => listRow(list, () => open.close(), load)) : [empty]));
  };
  const add = button('New list', () => listForm('', load), { look: 'primary', iconName: 'plus', id: 'list-new' });
  const open = dialog('Word lists', [holder, h('div', { class: 'isg-actions' }, add)], { id: 'lists-dialog' });
  await load();
};

views.wildcards = (element) => {
  const opener = button('Word lists', wordLists, { small: true, iconName: 'list', id: 'lists-open' });
  const text = h('p', { class: 'isg-muted' }, h('code', {}, '{red|black}'), ' chooses a word, ', h('code', {}, '__name__'), ' a line of a list.');
  element.replaceChildren(h('div', { class: 'isg-helper' }, text, opener));
};
