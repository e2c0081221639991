// The picture that a generation starts from: sent, or chosen from the gallery, or none.

let startAble = false; // whether the base model of the form can start from a picture
const started = (id) => remember({ start: id || '' }); // so that it is there again after a reload

const startUrl = (id) =>
  id.startsWith('img-') ? url(`api/generation/images/${encodeURIComponent(id)}`) : url(`api/outputs/${encodeURIComponent(id)}/file?size=thumb`);

const chooseFromGallery = async (take) => {
  const page = await get('api/outputs?limit=60');
  const tile = (output) =>
    h(
      'button',
      { type: 'button', class: 'isg-output', 'data-id': output.id, 'aria-label': `Start from the picture of seed ${output.seed}`, onclick: () => (take(output.id), open.close()) },
      h('img', { src: outputUrl(output, 'thumb'), alt: '', loading: 'lazy', width: 320, height: 320 }),
    );
  const none = h('p', { class: 'isg-muted' }, 'The gallery is empty.');
  const body = page.items.length ? h('div', { class: 'isg-outputs' }, page.items.map(tile)) : none;
  const open = dialog('Choose a picture to start from', body, { wide: true, id: 'start-choice' });
};

views.start = (element, trigger, props, watch) => {
  const take = (id) => {
    props.value = id;
    draw();
    trigger('upload');
  };
  const send = async (file) => {
    const form = new FormData();
    form.append('file', file, file.name);
    take((await rest('POST', 'api/generation/images', { form })).id);
  };
  const input = h('input', { type: 'file', accept: 'image/*,.heic,.heif,.avif', id: 'start-file', 'aria-label': 'Send a picture to start from' });
  const sending = h('p', { class: 'isg-muted', role: 'status' });
  input.addEventListener('change', async () => {
    const [file] = input.files;
    input.value = '';
    if (!file) return;
    sending.textContent = `Sending ${file.name}…`;
    try {
      await send(file);
    } catch (error) {
      complain(error);
    } finally {
      sending.textContent = '';
    }
  });
  const draw = () => {
    const id = props.value;
    startAble = Boolean(props.able);
    const thumb = !id ? null : h('img', { src: startUrl(id), alt: 'The picture to start from', class: 'isg-start-thumb', id: 'start-picture' });
    const gone = h('p', { class: 'isg-muted' }, 'This picture is not here any more.');
    if (thumb) thumb.addEventListener('error', () => thumb.replaceWith(gone));
    const choose = button('From the gallery', () => chooseFromGallery(take), { small: true, iconName: 'picture', id: 'start-choose' });
    const upload = h('label', { class: 'isg-btn small isg-file' }, input, icon('upload'), h('span', {}, 'Send a picture'));
    const remove = button('Remove', () => ((props.value = ''), draw()), { small: true, iconName: 'close', id: 'start-remove' });
    const text = id
      ? 'The new picture takes its shape from this one.'
      : 'Draw over a picture instead of starting from nothing, or make it larger.';
    element.replaceChildren(
      h('div', { class: 'isg-start' }, thumb, h('div', { class: 'isg-stack tight' }, h('p', { class: 'isg-muted' }, text), h('div', { class: 'isg-actions' }, id ? remove : [choose, upload]), sending)),
    );
  };
  watch(['value', 'able'], draw);
  draw();
};
