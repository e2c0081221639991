// LoRA versions: what was trained, from what, and what can be done with it.

const loraName = (lora) => lora.name || `${lora.character_name || lora.character_id} ${lora.version}`.trim();
const TRASH_DAYS = 7;

const loraForm = (lora) => {
  const name = h('input', { type: 'text', maxlength: 80, value: lora.name, placeholder: loraName({ ...lora, name: '' }), id: 'lora-name' });
  const note = h('textarea', { rows: 3, maxlength: 2000, value: lora.note, id: 'lora-note' });
  const trigger = h('input', { type: 'text', maxlength: 60, value: lora.trigger_word, id: 'lora-trigger' });
  const work = async () => {
    await patch(`api/loras/${lora.id}`, { name: name.value, note: note.value, trigger_word: trigger.value });
    changedElsewhere();
  };
  const fields = [
    field('Name', name, 'What lists call it; empty: the character and the number.'),
    field('Notes', note, 'What is good or bad about this version.'),
    field('Trigger word', trigger, 'The word it was trained with.'),
  ];
  formDialog(`Name and notes of ${loraName(lora)}`, fields, 'Save', work, { id: 'lora-form' });
};

// Deleted at once, for it can be taken back.
const deleteLora = async (lora) => {
  await erase(`api/loras/${lora.id}`);
  changedElsewhere();
  const undo = button('Undo', async () => {
    await restoreLora(lora);
    said.remove();
  }, { small: true, id: 'lora-undo' });
  const said = toast(`${loraName(lora)} is in the trash.`, `It is kept for ${TRASH_DAYS} days.`, '', undo);
};

const restoreLora = async (lora) => {
  await post(`api/loras/trash/${lora.id}/restore`);
  changedElsewhere();
};

const exportLora = (lora) => {
  const link = (what, label, iconName) =>
    h('a', { class: 'isg-btn', href: url(`api/loras/${lora.id}/${what}`), download: '', id: `lora-as-${what}` }, icon(iconName), h('span', {}, label));
  dialog(
    `Export ${loraName(lora)}`,
    [
      h('p', {}, 'The file carries trigger word, base model, rank and tags inside, and works as it is in ComfyUI, diffusers and kohya\'s tools.'),
      h('div', { class: 'isg-actions' }, link('file', `The file, ${size(lora.bytes)}`, 'download'), link('export', 'ZIP with lineage, config and samples', 'list')),
    ],
    { id: 'lora-export' },
  );
};

const lineage = (lora) => {
  const config = lora.config || {};
  const took = tookInAll(lora.measured);
  const tools = Object.entries(lora.tool_versions).map(([tool, version]) => `${tool} ${version}`).join(', ');
  return [
    ['Trigger word', lora.trigger_word],
    ['Base model', lora.base_model],
    ['Steps', lora.steps_before > 0 ? `${lora.steps}, after ${lora.steps_before} before` : lora.steps || ''],
    ['Goes on from', lora.parent_label],
    ['Was a checkpoint', lora.from_checkpoint ? `of step ${lora.from_checkpoint}` : ''],
    ['Rank, alpha', lora.rank ? `${lora.rank}, ${lora.alpha || lora.rank}` : ''],
    ['Learning rate', config.learning_rate],
    ['Preset', config.preset],
    ['Seed', config.seed],
    ['Pictures', lora.image_count || ''],
    ['Took', took > 0 ? duration(took) : ''],
    ['Made', when(lora.created_at)],
    ['What the file says', lora.origin],
    ['Dataset', lora.dataset_hash],
    ['Training', lora.job_id],
    ['Tools', tools],
    ['File', lora.sha256 && `sha256 ${lora.sha256}`],
    ['Notes', lora.note],
  ].filter(([, value]) => value !== '' && value !== null && value !== undefined);
};

const showLora = async (lora) => {
  const samples = await get(`api/loras/${lora.id}/samples`);
  const pictures = samples.items.map((name) =>
    h('img', { src: url(`api/loras/${lora.id}/samples/${encodeURIComponent(name)}`), alt: 'Sample of the training', loading: 'lazy' }),
  );
  dialog(
    loraName(lora),
    [
      pictures.length > 0 && h('div', { class: 'isg-samples plain' }, pictures),
      h('dl', { class: 'isg-facts column' }, lineage(lora).map(([key, value]) => fact(key, value))),
    ],
    { wide: true, id: 'lora-detail' },
  );
};

const likenessOf = (lora) => {
  if (typeof lora.likeness !== 'number') return h('span', { class: 'isg-muted', title: 'No picture of it was scored yet' }, 'not yet');
  const node = pill(percent(lora.likeness), lora.likeness >= SAME_PERSON ? 'good' : 'plain');
  node.title = `Mean of ${count(lora.likeness_pictures, 'picture', 'pictures')} made with it alone`;
  return node;
};

const loraCells = (lora) => [
  ['', h('span', { class: 'isg-no' }, lora.version)],
  ['', [
    h('button', { type: 'button', class: 'isg-link', onclick: () => showLora(lora).catch(complain) }, loraName(lora)),
    lora.trigger_word && h('code', {}, lora.trigger_word),
    lora.parent_label && h('small', {}, `after ${lora.parent_label}`),
    lora.from_checkpoint && h('small', {}, `checkpoint of step ${lora.from_checkpoint}`),
    lora.note && h('p', { class: 'isg-muted' }, lora.note),
  ]],
  ['Base', lora.base_model],
  ['Rank', lora.rank || ''],
  ['Steps', lora.steps ? (lora.steps + lora.steps_before).toLocaleString('en-GB') : ''],
  ['Likeness', likenessOf(lora)],
  ['Size', size(lora.bytes)],
  ['Made', when(lora.created_at)],
];

const loraActions = (lora) => {
  const act = (label, work, iconName, look = '') =>
    button('', work, { iconName, small: true, look: `round ${look}`, name: `${label} ${loraName(lora)}`, title: label });
  return h(
    'div',
    { class: 'isg-actions' },
    button('Use', () => ask('use', `lora:${lora.id}`), { iconName: 'spark', small: true, name: `Generate with ${loraName(lora)}` }),
    act('Compare', () => compareLoras(lora), 'grid'),
    act('Continue training', () => ask('goOn', lora.id), 'train'),
    act('Export', () => exportLora(lora), 'download'),
    act('Name and notes of', () => loraForm(lora), 'pen'),
    act('Delete', () => deleteLora(lora), 'trash', 'danger'),
  );
};

const loraRow = (lora) =>
  h(
    'tr',
    { class: 'isg-lora', 'data-id': lora.id },
    loraCells(lora).map(([label, content]) => h('td', { 'data-label': label }, content)),
    h('td', {}, loraActions(lora)),
  );

const trashRow = (lora, again) => {
  const left = Math.ceil(TRASH_DAYS - (Date.now() - new Date(lora.deleted_at)) / 86_400_000);
  const gone = () =>
    confirmLoss(`Delete ${loraName(lora)} for good?`, 'Nobody can bring it back then.', 'Delete for good', async () => {
      await erase(`api/loras/trash/${lora.id}`);
      await again();
    });
  const back = async () => {
    await restoreLora(lora);
    await again();
  };
  return h(
    'article',
    { class: 'isg-bar-row isg-trashed', 'data-id': lora.id },
    h('div', {}, h('strong', {}, loraName(lora)), h('p', { class: 'isg-muted' }, `${size(lora.bytes)} · goes for good in ${count(Math.max(left, 1), 'day', 'days')}`)),
    h(
      'div',
      { class: 'isg-actions' },
      button('Restore', back, { iconName: 'again', small: true, name: `Restore ${loraName(lora)}` }),
      button('Delete for good', gone, { look: 'danger', small: true, name: `Delete ${loraName(lora)} for good` }),
    ),
  );
};

const showTrash = async () => {
  const list = h('div', { class: 'isg-stack tight' });
  const show = (found) => {
    list.replaceChildren(...found.items.map((lora) => trashRow(lora, load)));
    if (found.items.length === 0) list.append(h('p', { class: 'isg-muted' }, 'The trash is empty.'));
    changedElsewhere();
  };
  const load = newest(() => get('api/loras/trash'), show);
  await load();
  dialog('Deleted LoRA versions', list, { id: 'lora-trash' });
};

const COLUMNS = ['No.', 'Name', 'Base', 'Rank', 'Steps', 'Likeness', 'Size', 'Made', ''];

views.loras = (element) => {
  const body = h('tbody', { id: 'loras-list' });
  const head = h('tr', {}, COLUMNS.map((name) => h('th', { scope: 'col' }, name || h('span', { class: 'isg-spoken' }, 'Actions'))));
  const table = h('table', { class: 'isg-table isg-loras' }, h('thead', {}, head), body);
  const empty = h('p', { class: 'isg-muted', id: 'loras-empty' }, 'None yet. A training that ends well leaves one here.');
  let cursor = null;
  const add = (page) => {
    cursor = page.next;
    more.hidden = !cursor;
    body.append(...page.items.map(loraRow));
  };
  const more = button('Show older versions', async () => add(await get(`api/loras?limit=20&cursor=${encodeURIComponent(cursor)}`)));
  const show = ([page, deleted]) => {
    body.replaceChildren();
    add(page);
    table.hidden = page.total === 0;
    empty.hidden = page.total > 0;
    trash.hidden = deleted.items.length === 0;
    trash.lastChild.textContent = `Trash (${deleted.items.length})`;
  };
  const load = newest(() => Promise.all([get('api/loras?limit=20'), get('api/loras/trash')]), show);
  const trash = button('Trash', showTrash, { iconName: 'trash', id: 'lora-trash-open' });
  const bring = button('Import a LoRA', () => importForm(changedElsewhere), { iconName: 'upload', id: 'lora-import-open' });
  const actions = h('div', { class: 'isg-actions' }, trash, bring);
  trash.hidden = true;
  element.replaceChildren(h('div', { class: 'isg-bar-row' }, h('h2', {}, 'LoRA versions'), actions), table, empty, more);
  bus.on('library', () => load().catch(complain));
  bus.on('outputs', () => load().catch(complain));
  jobs.onEnd((job) => job.type === 'generation' && load().catch(complain)); // its pictures may tell of a likeness
  load().catch(complain);
};
