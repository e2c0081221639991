// Captions of a set as a table: each by hand, many at once, and how often each tag is used.

const captionTable = async (character, changed) => {
  const path = `api/characters/${character.id}`;
  const rows = h('div', { class: 'isg-caption-rows', id: 'caption-rows' });
  const chips = h('div', { class: 'isg-chips', id: 'caption-tags' });
  const said = h('span', { class: 'isg-muted', role: 'status' });
  const text = (id, label) => h('input', { type: 'text', id, maxlength: 500, 'aria-label': label, placeholder: label });
  const find = text('caption-find', 'Find');
  const replace = text('caption-replace', 'Replace by');
  const words = h('input', { type: 'checkbox', checked: true, id: 'caption-words' });
  const exact = h('input', { type: 'checkbox', id: 'caption-case' });
  const prefix = text('caption-prefix', 'Text before');
  const suffix = text('caption-suffix', 'Text after');
  let images = [];
  let only = null; // the tag whose pictures are shown

  const wanted = () => ({ find: find.value, replace: replace.value, whole_words: words.checked, match_case: exact.checked });
  const row = (image) => {
    const state = h('small', { class: 'isg-said', role: 'status' });
    const area = h('textarea', { rows: 2, maxlength: 2000, value: image.caption, 'aria-label': `Caption of ${image.filename}` });
    area.addEventListener('change', async () => {
      state.textContent = 'Saving…';
      try {
        area.value = (await patch(`${path}/images/${image.id}`, { caption: area.value })).caption;
        state.textContent = 'Saved';
        await countTags(false);
        changed();
      } catch (error) {
        state.textContent = 'Not saved';
        complain(error);
      }
    });
    return h(
      'div',
      { class: 'isg-caption-row', 'data-id': image.id },
      h('img', { src: pictureUrl(character, image, 'thumb'), alt: '', loading: 'lazy' }),
      h('div', {}, h('small', {}, image.filename), area, state),
    );
  };
  const draw = () => rows.replaceChildren(...images.filter((image) => !only || only.image_ids.includes(image.id)).map(row));
  const chip = (tag) =>
    h(
      'button',
      {
        type: 'button',
        class: 'isg-chip',
        'aria-pressed': String(only?.tag === tag.tag),
        onclick: () => {
          only = only?.tag === tag.tag ? null : tag;
          find.value = only ? only.tag : '';
          chips.replaceChildren(...shown.map(chip));
          draw();
        },
      },
      tag.tag,
      h('b', {}, String(tag.count)),
    );
  let shown = [];
  const countTags = async (redraw) => {
    shown = await get(`${path}/captions/tags`);
    only = only && shown.find((tag) => tag.tag === only.tag);
    chips.replaceChildren(...shown.map(chip));
    const missing = images.filter((image) => !image.caption).length;
    if (redraw && missing) said.textContent = `${count(missing, 'picture has', 'pictures have')} no caption.`;
  };
  const load = async () => {
    images = await everyPage(`${path}/images?limit=200`);
    await countTags(true);
    draw();
  };
  const apply = async (report) => {
    said.textContent = `${count(report.changes.length, 'caption', 'captions')} changed.`;
    if (!report.changes.length) return;
    changed();
    const kept = said.textContent;
    await load();
    said.textContent = kept;
  };
  const preview = newest(
    async () => find.value && post(`${path}/captions/replace`, { ...wanted(), dry_run: true }),
    (report) => (said.textContent = report ? `${count(report.changes.length, 'caption', 'captions')} would change.` : ''),
  );
  for (const input of [find, replace, words, exact]) input.addEventListener('input', () => preview().catch(complain));
  const step = (name) => async () => {
    await post(`${path}/${name}`);
    changed();
    await load();
  };
  const body = h(
    'div',
    { class: 'isg-stack' },
    h(
      'div',
      { class: 'isg-caption-tools' },
      h('div', { class: 'isg-caption-line' }, find, replace, button('Replace', async () => apply(await post(`${path}/captions/replace`, wanted())), { id: 'caption-do-replace' })),
      h('div', { class: 'isg-actions' }, h('label', { class: 'isg-check' }, words, 'Whole words'), h('label', { class: 'isg-check' }, exact, 'Match case')),
      h('div', { class: 'isg-caption-line' }, prefix, suffix, button('Add to all', async () => apply(await post(`${path}/captions/affix`, { prefix: prefix.value, suffix: suffix.value })), { id: 'caption-do-affix' })),
      h('div', { class: 'isg-actions' }, button('Undo', step('undo'), { small: true, iconName: 'undo', id: 'caption-undo' }), button('Redo', step('redo'), { small: true, iconName: 'again', id: 'caption-redo' }), said),
    ),
    chips,
    rows,
  );
  await load();
  dialog(`Captions of ${character.name}`, body, { wide: true, id: 'caption-table' });
};

const everyPage = async (path) => {
  const items = [];
  for (let next = ''; next !== null; ) {
    const page = await get(next ? `${path}&cursor=${encodeURIComponent(next)}` : path);
    items.push(...page.items);
    next = page.next;
  }
  return items;
};
