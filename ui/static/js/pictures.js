// A character's pictures: sending them one by one, the verdict on each, captions, removal.

const FEW = 10;
const AT_ONCE = 2;

const verdictRow = (file) => {
  const fill = h('i');
  const bar = h('div', { class: 'isg-bar' }, fill);
  const said = h('span', { class: 'isg-said' }, 'Waiting');
  const node = h('li', { class: 'isg-verdict', 'data-verdict': 'waiting' }, h('strong', {}, file.name), said, bar);
  const end = (verdict, text) => {
    node.dataset.verdict = verdict;
    said.textContent = text;
    bar.hidden = true;
  };
  return {
    node,
    progress: (share) => {
      fill.style.width = `${share * 100}%`;
      said.textContent = share < 1 ? `Sending ${Math.round(share * 100)} %` : 'Checking';
    },
    taken: (text) => end('taken', text),
    refused: (error) => {
      const reason = (error.detail || error.message).replace(`${file.name}: `, '');
      end('refused', `${reason} ${error.hint || ''}`.trim());
    },
  };
};

const judged = (report) => {
  const [image] = report.uploaded;
  if (image) return `Added, ${image.width} × ${image.height}`;
  return 'Added as a caption';
};

const sendAll = async (path, files, list) => {
  const rows = files.map((file) => ({ file, row: verdictRow(file) }));
  list.replaceChildren(...rows.map(({ row }) => row.node));
  list.hidden = false;
  // A caption is matched by the name of its picture, so pictures go first.
  const isCaption = ({ file }) => file.name.toLowerCase().endsWith('.txt');
  for (const group of [rows.filter((item) => !isCaption(item)), rows.filter(isCaption)]) {
    const waiting = [...group];
    const lane = async () => {
      for (let item = waiting.shift(); item; item = waiting.shift()) {
        const { file, row } = item;
        try {
          const report = await sendFile(path, file, row.progress);
          if (report.rejected.length) row.refused(report.rejected[0]);
          else row.taken(judged(report));
        } catch (error) {
          row.refused(error);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  }
};

const dropZone = (onFiles) => {
  const input = h('input', { type: 'file', multiple: true, accept: 'image/*,.heic,.heif,.avif,.txt', id: 'pictures-input' });
  const zone = h(
    'label',
    { class: 'isg-drop', id: 'pictures-drop' },
    input,
    icon('upload'),
    h('strong', {}, 'Drop pictures here, or click to choose'),
    h('span', {}, '10 to 30 photos: different sides, light and places, one person in each. Captions may come along as .txt files.'),
  );
  const over = (on) => (event) => {
    event.preventDefault();
    zone.classList.toggle('over', on);
  };
  zone.addEventListener('dragover', over(true));
  zone.addEventListener('dragleave', over(false));
  zone.addEventListener('drop', (event) => {
    over(false)(event);
    onFiles([...event.dataTransfer.files]);
  });
  input.addEventListener('change', () => {
    const chosen = [...input.files];
    input.value = '';
    onFiles(chosen);
  });
  return zone;
};

const pictureTile = (character, image, gone) => {
  const path = `api/characters/${character.id}/images/${image.id}`;
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
    } catch (error) {
      state.textContent = 'Not saved';
      complain(error);
    }
  });
  const remove = button(
    '',
    () =>
      confirmLoss(`Remove ${image.filename}?`, 'The picture and its caption are deleted.', 'Remove picture', async () => {
        await erase(path);
        gone();
      }),
    { iconName: 'trash', look: 'round danger', name: `Remove ${image.filename}` },
  );
  const full = h('img', { src: imageUrl(character.id, image.id, 'full'), alt: image.caption || image.filename, class: 'isg-large' });
  return h(
    'figure',
    { class: 'isg-tile', 'data-id': image.id },
    h(
      'button',
      { type: 'button', class: 'isg-bare isg-thumb', 'aria-label': `Show ${image.filename} large`, onclick: () => dialog(image.filename, full, { wide: true }) },
      h('img', { src: imageUrl(character.id, image.id, 'thumb'), alt: '', loading: 'lazy' }),
    ),
    remove,
    h('figcaption', {}, caption, h('span', { class: 'isg-tile-foot' }, h('small', {}, `${image.width} × ${image.height}`), state)),
  );
};

const pictures = (character) => {
  const path = `api/characters/${character.id}/images`;
  const verdicts = h('ul', { class: 'isg-verdicts', id: 'pictures-verdicts', 'aria-live': 'polite', hidden: true });
  const heading = h('h3', {});
  const advice = h('p', { class: 'isg-muted' });
  const grid = h('div', { class: 'isg-tiles', id: 'pictures-grid' });
  let cursor = null;

  const say = (total) => {
    heading.textContent = total ? count(total, 'picture', 'pictures') : 'No pictures yet';
    advice.textContent = total === 0 ? 'Add some above; then the character can be trained.' : '';
    if (total > 0 && total < FEW) advice.textContent = `It can be trained. ${FEW} to 30 pictures work better.`;
  };
  const add = (page) => {
    cursor = page.next;
    more.hidden = !cursor;
    say(page.total);
    grid.append(...page.items.map((image) => pictureTile(character, image, reload)));
  };
  const more = button('Show more pictures', async () => add(await get(`${path}?limit=60&cursor=${encodeURIComponent(cursor)}`)));
  const reload = async () => {
    const page = await get(`${path}?limit=60`);
    grid.replaceChildren();
    add(page);
  };
  const onFiles = async (files) => {
    if (!files.length) return;
    await sendAll(path, files, verdicts);
    await reload().catch(complain);
    changedElsewhere();
  };
  reload().catch(complain);
  return h('section', { class: 'isg-stack' }, dropZone(onFiles), verdicts, heading, advice, grid, more);
};
