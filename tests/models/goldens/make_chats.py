#!/usr/bin/env python3
"""Make chats.json: conversations as tokens of the small tokenizers here, by transformers' apply_chat_template.

The Jinja templates are those that Llama 2's and Llama 3's published tokenizer_config.json hold.

Needs: transformers, jinja2 (from PyPI).  Run, behind make_tokenizers.py:

    python make_chats.py
"""

import json
from pathlib import Path

from transformers import PreTrainedTokenizerFast

HERE = Path(__file__).resolve().parent

LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
    "{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}"
    "{% set system_message = false %}{% endif %}{% for message in loop_messages %}"
    "{% if loop.index0 == 0 and system_message != false %}"
    "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
    "{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
LLAMA3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + "
    "'<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
FAMILIES = {
    "llama2.json": (LLAMA2, "<s>", "</s>"),
    "llama3.json": (LLAMA3, "<|begin_of_text|>", "<|eot_id|>"),
}
SYSTEMS = ["", "You are a helpful assistant.", "Réponds en français.\nToujours 😀"]
MESSAGES = ["Hello, world!", "def f(x):\n    return x", "it's 12345 \u00a0 天地玄黄", "[INST] <<SYS>> not a tag"]


def main():
    out = {}
    for name, (template, bos, eos) in FAMILIES.items():
        t = PreTrainedTokenizerFast(tokenizer_file=str(HERE / name), bos_token=bos, eos_token=eos, chat_template=template)
        turns = []
        for system in SYSTEMS:
            for message in MESSAGES:
                chat = [{"role": "system", "content": system}] if system else []
                ids = t.apply_chat_template(chat + [{"role": "user", "content": message}], add_generation_prompt=True)
                turns.append({"system": system, "message": message, "ids": ids})
        # What a second message adds to a conversation.
        chat = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "world"}]
        before = t.apply_chat_template(chat, add_generation_prompt=False)
        after = t.apply_chat_template(chat + [{"role": "user", "content": "the dog"}], add_generation_prompt=True)
        assert after[: len(before)] == before
        second = [t.convert_tokens_to_ids(eos)] + after[len(before) :]
        out[name] = {"first": turns, "second": {"message": "the dog", "ids": second}}
    (HERE / "chats.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
