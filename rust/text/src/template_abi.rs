//! Chat templates over the C ABI (include/quern_text.h).

use crate::abi::{answer, guarded, ByteRange, Owned, View};
use crate::error::Code;
use crate::template::{Input, Template};
use std::ffi::c_int;

#[repr(C)]
pub struct SpecialTexts {
    bos: View,
    eos: View,
    unknown: View,
    padding: View,
}

#[repr(C)]
pub struct RenderInput {
    messages: View,
    tools: View,
    documents: View,
    kwargs: View,
    now: i64,
    add_generation_prompt: c_int,
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_template_parse(
    source: View,
    special: *const SpecialTexts,
    out: *mut *mut Template,
    error: *mut Owned<u8>,
) -> Code {
    unsafe {
        answer(out, error, || {
            let special = &*special;
            let texts = [
                ("bos_token", special.bos),
                ("eos_token", special.eos),
                ("unk_token", special.unknown),
                ("pad_token", special.padding),
            ];
            let texts: Result<Vec<_>, _> =
                texts.into_iter().map(|(name, view)| Ok((name, view.text(name)?.to_owned()))).collect();
            let template = Template::parse(source.text("the chat template")?, texts?)?;
            Ok(Box::into_raw(Box::new(template)))
        })
    }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_template_free(object: *mut Template) {
    if !object.is_null() {
        drop(unsafe { Box::from_raw(object) });
    }
}

#[no_mangle]
pub unsafe extern "C" fn quern_text_template_render(
    object: *const Template,
    input: *const RenderInput,
    out: *mut Owned<u8>,
    typed: *mut Owned<ByteRange>,
    error: *mut Owned<u8>,
) -> Code {
    let rendered = guarded(|| unsafe {
        let input = &*input;
        (*object).render(&Input {
            messages: input.messages.text("messages")?,
            tools: input.tools.text("tools")?,
            documents: input.documents.text("documents")?,
            kwargs: input.kwargs.text("template variables")?,
            now: input.now,
            add_generation_prompt: input.add_generation_prompt != 0,
        })
    });
    unsafe {
        answer(out, error, || {
            let rendered = rendered?;
            typed.write(Owned::new(rendered.typed.iter().map(ByteRange::from).collect()));
            Ok(Owned::new(rendered.text.into_bytes()))
        })
    }
}
