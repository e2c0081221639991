// Pictures on their way in: files, folders and zips, each with its progress and its verdict.

const AT_ONCE = 2;
const CAPTION = /\.txt$/i;
const ZIP = /\.zip$/i;
const JUNK = /(^|\/)(\.|__macosx\/|thumbs\.db$|desktop\.ini$)/i; // what systems leave beside pictures

const verdictLine = (name) => {
  const fill = h('i');
  const bar = h('div', { class: 'isg-bar' }, fill);
  const said = h('span', { class: 'isg-said' }, 'Waiting');
  const node = h('li', { class: 'isg-verdict', 'data-verdict': 'waiting' }, h('strong', {}, name), said, bar);
  const end = (verdict, text) => {
    node.dataset.verdict = verdict;
    said.textContent = text;
    bar.hidden = true;
  };
  return {
    node,
    name,
    said: (text) => (said.textContent = text),
    progress: (share) => {
      fill.style.width = `${share * 100}%`;
      said.textContent = share < 1 ? `Sending ${Math.round(share * 100)} %` : 'Checking';
    },
    end,
    refused: (error) => end('refused', `${(error.detail || error.message).replace(`${name}: `, '')} ${error.hint || ''}`.trim()),
  };
};

// One line for each file that the API gave a verdict on; of a zip those are the files inside.
const tell = (report, line) => {
  const noticed = Object.fromEntries(report.notices.map((notice) => [notice.image_id, notice]));
  const taken = report.uploaded.map((image) => {
    const notice = noticed[image.id];
    const text = notice ? `Added. ${notice.detail} ${notice.hint}` : `Added, ${image.width} × ${image.height}`;
    return { name: image.filename, verdict: notice ? 'noticed' : 'taken', text };
  });
  const refused = report.rejected.map((file) => ({ name: file.filename, verdict: 'refused', text: `${file.detail} ${file.hint}` }));
  const lines = [...taken, ...refused];
  if (!ZIP.test(line.name)) {
    const [own = { verdict: 'taken', text: 'Added as a caption' }, ...others] = lines;
    line.end(own.verdict, own.text);
    return others;
  }
  line.end('taken', `${count(taken.length, 'picture', 'pictures')} added, ${refused.length} refused`);
  return lines;
};

const show = (list, after, lines) =>
  after.node.after(
    ...lines.map(({ name, verdict, text }) => {
      const line = verdictLine(name);
      line.end(verdict, text);
      return line.node;
    }),
  );

// A caption travels with its picture, so that the two are paired by folder and name.
const parcels = (files) => {
  const stem = (file) => file.path.toLowerCase().replace(/\.[^./]*$/, '');
  const texts = new Map(files.filter(({ path }) => CAPTION.test(path)).map((file) => [stem(file), file]));
  const sent = files.filter(({ path }) => !CAPTION.test(path)).map((file) => {
    const text = texts.get(stem(file));
    texts.delete(stem(file));
    return text ? [file, text] : [file];
  });
  return [...sent, ...[...texts.values()].map((text) => [text])];
};

const takeIn = async (character, files, list) => {
  const rows = parcels(files).map((parcel) => ({ parcel, line: verdictLine(parcel[0].path.split('/').pop()) }));
  list.replaceChildren(...rows.map(({ line }) => line.node));
  list.hidden = false;
  const path = `api/characters/${character.id}/images?batch=${token()}`;
  const send = async ({ parcel, line }) => {
    const isZip = ZIP.test(line.name);
    const before = isZip ? (await get(`api/characters/${character.id}`)).image_count : 0;
    let watching = 0;
    const progress = (share) => {
      line.progress(share);
      if (!isZip || share < 1 || watching) return;
      watching = setInterval(async () => {
        const now = await get(`api/characters/${character.id}`).catch(() => null);
        if (now && watching) line.said(`Checking, ${count(now.image_count - before, 'picture', 'pictures')} so far`);
      }, 1000);
    };
    try {
      show(list, line, tell(await sendFiles(path, parcel, progress), line));
    } catch (error) {
      line.refused(error);
    } finally {
      clearInterval(watching);
      watching = 0;
    }
  };
  const waiting = [...rows];
  const lane = async () => {
    for (let row = waiting.shift(); row; row = waiting.shift()) await send(row);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
};

// What was dropped may be folders; they are walked to the last file.
const walked = async (entry, folder = '') => {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ file, path: folder + file.name }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const child of some) found.push(...(await walked(child, `${folder}${entry.name}/`)));
  }
};

const dropped = async (transfer) => {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, path: file.name }));
  return (await Promise.all(entries.map((entry) => walked(entry)))).flat();
};

const dropZone = (onFiles) => {
  const given = async (files) => {
    const wanted = files.filter(({ path }) => !JUNK.test(path));
    if (wanted.length) await onFiles(wanted);
  };
  const chosen = (input) => {
    const files = [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
    input.value = '';
    given(files).catch(complain);
  };
  const one = h('input', { type: 'file', multiple: true, accept: 'image/*,.heic,.heif,.avif,.txt,.zip', id: 'pictures-input' });
  const folder = h('input', { type: 'file', multiple: true, webkitdirectory: true, id: 'pictures-folder', 'aria-label': 'Choose a folder' });
  for (const input of [one, folder]) input.addEventListener('change', () => chosen(input));
  const zone = h(
    'div',
    { class: 'isg-drop', id: 'pictures-drop' },
    icon('upload'),
    h('strong', {}, 'Drop pictures, a folder or a zip here'),
    h('span', {}, '10 to 30 photos: different sides, light and places, one person in each. Captions may come along as .txt files.'),
    h(
      'div',
      { class: 'isg-actions' },
      h('label', { class: 'isg-btn isg-file' }, one, h('span', {}, 'Choose files')),
      h('label', { class: 'isg-btn isg-file' }, folder, h('span', {}, 'Choose a folder')),
    ),
  );
  const over = (on) => (event) => {
    event.preventDefault();
    zone.classList.toggle('over', on);
  };
  zone.addEventListener('dragover', over(true));
  zone.addEventListener('dragleave', over(false));
  zone.addEventListener('drop', (event) => {
    over(false)(event);
    dropped(event.dataTransfer).then(given).catch(complain);
  });
  return zone;
};
