// A character's pictures: the gallery, what may be done with each, undo and redo.

const FEW = 10;

const pictureUrl = (character, image, wanted) => {
  const version = wanted === 'whole' ? image.original : image.curated;
  return `${imageUrl(character.id, image.id, wanted)}&v=${encodeURIComponent(version.slice(0, 40))}`;
};

const captionField = (path, image, changed) => {
  const state = h('small', { class: 'isg-said', role: 'status' });
  const caption = h('textarea', {
    rows: 2,
    maxlength: 2000,
    value: image.caption,
    'aria-label': `Caption of ${image.filename}`,
    placeholder: 'Describe what is in the picture',
  });
  caption.addEventListener('change', async () => {
    state.textContent = 'Saving…';
    try {
      caption.value = (await patch(path, { caption: caption.value })).caption;
      state.textContent = 'Saved';
      changed();
    } catch (error) {
      state.textContent = 'Not saved';
      complain(error);
    }
  });
  return [caption, state];
};

const sizeOf = (image) => (image.crop ? `${image.crop.width} × ${image.crop.height}, cropped` : `${image.width} × ${image.height}`);

const pictureTile = (character, image, { changed, reload }) => {
  const path = `api/characters/${character.id}/images/${image.id}`;
  const [caption, state] = captionField(path, image, changed);
  const then = async (work) => {
    await work;
    await reload();
    changed();
  };
  const action = (iconName, name, work, look = '') => button('', work, { iconName, look: `round tiny ${look}`.trim(), name: `${name} ${image.filename}` });
  const crop = action('crop', 'Crop', () => cropEditor(character, image, { done: () => then() }));
  const hold = action(image.held_out ? 'unlock' : 'lock', image.held_out ? 'Train on' : 'Hold out', () => then(patch(path, { held_out: !image.held_out })));
  const remove = action('trash', 'Remove', () => then(erase(path)), 'danger');
  hold.title = image.held_out ? 'Train on it again' : 'Hold out: for evaluation only, never trained on';
  crop.title = 'Crop';
  remove.title = 'Remove; undo brings it back';
  const full = () => h('img', { src: pictureUrl(character, image, 'full'), alt: image.caption || image.filename, class: 'isg-large' });
  return h(
    'figure',
    { class: `isg-tile ${image.held_out ? 'held-out' : ''}`.trim(), 'data-id': image.id },
    h(
      'button',
      { type: 'button', class: 'isg-bare isg-thumb', 'aria-label': `Show ${image.filename} large`, onclick: () => dialog(image.filename, full(), { wide: true }) },
      h('img', { src: pictureUrl(character, image, 'thumb'), alt: '', loading: 'lazy' }),
    ),
    h('div', { class: 'isg-badges' }, image.held_out && pill('Held out', 'warn'), image.source === 'synthetic' && pill('Synthetic')),
    h('figcaption', {}, caption, h('span', { class: 'isg-tile-foot' }, h('small', {}, sizeOf(image)), state), h('div', { class: 'isg-tile-actions' }, crop, hold, remove)),
  );
};

// What undo and redo would do stands on their buttons.
const historyBar = (character, after) => {
  const path = `api/characters/${character.id}`;
  const step = (name) => async () => {
    const label = node.dataset[name];
    await post(`${path}/${name}`);
    toast(name === 'undo' ? 'Undone' : 'Done again', label);
    await after();
  };
  const undo = button('Undo', step('undo'), { small: true, iconName: 'undo', id: 'pictures-undo' });
  const redo = button('Redo', step('redo'), { small: true, iconName: 'again', id: 'pictures-redo' });
  const node = h('div', { class: 'isg-actions' }, undo, redo);
  const show = (history) => {
    for (const [name, control] of [['undo', undo], ['redo', redo]]) {
      node.dataset[name] = history[name] || '';
      control.disabled = !history[name];
      control.title = history[name] || `Nothing to ${name}`;
    }
  };
  return { node, refresh: newest(() => get(`${path}/history`), show) };
};

const pictures = (character) => {
  const path = `api/characters/${character.id}/images`;
  const verdicts = h('ul', { class: 'isg-verdicts', id: 'pictures-verdicts', 'aria-live': 'polite', hidden: true });
  const heading = h('h3', {});
  const advice = h('p', { class: 'isg-muted' });
  const grid = h('div', { class: 'isg-tiles', id: 'pictures-grid' });
  let cursor = null;

  const say = (total, heldOut) => {
    const held = heldOut ? `, ${heldOut} held out` : '';
    heading.textContent = total ? count(total, 'picture', 'pictures') + held : 'No pictures yet';
    advice.textContent = total === 0 ? 'Add some above; then the character can be trained.' : '';
    if (total > 0 && total < FEW) advice.textContent = `It can be trained. ${FEW} to 30 pictures work better.`;
    captions.hidden = !total;
  };
  const add = (page) => {
    cursor = page.next;
    more.hidden = !cursor;
    grid.append(...page.items.map((image) => pictureTile(character, image, { changed, reload })));
  };
  const more = button('Show more pictures', async () => add(await get(`${path}?limit=60&cursor=${encodeURIComponent(cursor)}`)));
  const question = () => {
    const limit = Math.min(200, Math.max(60, grid.childElementCount));
    return Promise.all([get(`${path}?limit=${limit}`), get(`api/characters/${character.id}`), history.refresh()]);
  };
  const reload = newest(question, ([page, now]) => {
    say(page.total, now.held_out_count);
    grid.replaceChildren();
    add(page);
  });
  // The Doctor looks again when the pictures changed by hand.
  const changed = () => {
    history.refresh().catch(complain);
    bus.tellHere('pictures', character.id);
  };
  const history = historyBar(character, async () => {
    await reload();
    changed();
    changedElsewhere();
  });
  const captions = button('Captions', () => captionTable(character, () => (reload().catch(complain), changed())), { small: true, iconName: 'list', id: 'pictures-captions' });
  const onFiles = async (files) => {
    await takeIn(character, files, verdicts);
    await reload().catch(complain);
    changed();
    changedElsewhere();
  };
  bus.on('dataset', (id) => id === character.id && grid.isConnected && reload().catch(complain)); // the Doctor mended
  reload().catch(complain);
  return h(
    'section',
    { class: 'isg-stack' },
    dropZone(onFiles),
    verdicts,
    h('div', { class: 'isg-bar-row isg-pictures-bar' }, heading, h('div', { class: 'isg-actions' }, captions, history.node)),
    advice,
    grid,
    more,
  );
};
