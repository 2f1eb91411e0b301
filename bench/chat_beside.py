#!/usr/bin/env python3
"""Chat templates beside jinja2 (needs it), set up as Hugging Face's programs do: templates of known models, and small expressions one by one.

    chat_beside.py [--library build/libnigh.so] [--rounds 200]

Exit 1: a text differs, or one side fails where the other does not.
"""
import argparse
import ctypes
import json
import os
import random
import sys

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = os.path.dirname(os.path.abspath(__file__))

TEMPLATES = {
    'smollm2': "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou are a helpful AI assistant named SmolLM, "
               "trained by Hugging Face<|im_end|>\\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
               "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    'llama3': "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ "
              "message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
              "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
    'llama3.1': """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not tools_in_user_message is defined %}
    {%- set tools_in_user_message = true %}
{%- endif %}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- This block extracts the system message, so we can slot it into the right place. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{#- System message #}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if builtin_tools is defined or tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{%- if builtin_tools is defined %}
    {{- "Tools: " + builtin_tools | reject('equalto', 'code_interpreter') | join(", ") + "\\n\\n"}}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none and not tools_in_user_message %}
    {{- "You have access to the following functions." }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
    'zephyr': "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n"
              "{{ '<|system|>\\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\\n'  + message['content'] + eos_token }}\n"
              "{% endif %}\n{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}",
    'mistral': "{%- if messages[0]['role'] == 'system' %}\n    {%- set system_message = messages[0]['content'] %}\n    {%- set loop_messages = messages[1:] %}\n{%- else %}\n"
               "    {%- set loop_messages = messages %}\n{%- endif %}\n{{- bos_token }}\n{%- set ns = namespace(index=0) %}\n{%- for message in loop_messages %}\n"
               "    {%- if (message['role'] == 'user') != (ns.index % 2 == 0) %}\n        {{- raise_exception('After the optional system message, conversation roles must "
               "alternate user/assistant/user/assistant/...') }}\n    {%- endif %}\n    {%- set ns.index = ns.index + 1 %}\n    {%- if message['role'] == 'user' %}\n"
               "        {%- if loop.last and system_message is defined %}\n            {{- '[INST] ' + system_message + '\\n\\n' + message['content'] + '[/INST]' }}\n"
               "        {%- else %}\n            {{- '[INST] ' + message['content'] + '[/INST]' }}\n        {%- endif %}\n    {%- elif message['role'] == 'assistant' %}\n"
               "        {{- ' ' + message['content']|trim + eos_token }}\n    {%- endif %}\n{%- endfor %}\n",
    'gemma3': "{{ bos_token }}\n{%- if messages[0]['role'] == 'system' -%}\n    {%- if messages[0]['content'] is string -%}\n        {%- set first_user_prefix = "
              "messages[0]['content'] + '\\n\\n' -%}\n    {%- else -%}\n        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '\\n\\n' -%}\n    {%- endif -%}\n"
              "    {%- set loop_messages = messages[1:] -%}\n{%- else -%}\n    {%- set first_user_prefix = \"\" -%}\n    {%- set loop_messages = messages -%}\n{%- endif -%}\n"
              "{%- for message in loop_messages -%}\n    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}\n        {{ raise_exception(\"Conversation roles must "
              "alternate user/assistant/user/assistant/...\") }}\n    {%- endif -%}\n    {%- if (message['role'] == 'assistant') -%}\n        {%- set role = \"model\" -%}\n"
              "    {%- else -%}\n        {%- set role = message['role'] -%}\n    {%- endif -%}\n    {{ '<start_of_turn>' + role + '\\n' + (first_user_prefix if loop.first else \"\") }}\n"
              "    {%- if message['content'] is string -%}\n        {{ message['content'] | trim }}\n    {%- elif message['content'] is iterable -%}\n"
              "        {%- for item in message['content'] -%}\n            {%- if item['type'] == 'image' -%}\n                {{ '<start_of_image>' }}\n"
              "            {%- elif item['type'] == 'text' -%}\n                {{ item['text'] | trim }}\n            {%- endif -%}\n        {%- endfor -%}\n    {%- else -%}\n"
              "        {{ raise_exception(\"Invalid content type\") }}\n    {%- endif -%}\n    {{ '<end_of_turn>\\n' }}\n{%- endfor -%}\n{%- if add_generation_prompt -%}\n"
              "    {{'<start_of_turn>model\\n'}}\n{%- endif -%}\n",
    'qwen3': """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\\n\\n' }}
    {%- endif %}
    {{- "# Tools\\n\\nYou may call one or more functions to assist with the user query.\\n\\nYou are provided with function signatures within <tools></tools> XML tags:\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools>\\n\\nFor each function call, return a json object with function name and arguments<|im_end|>\\n" }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {%- if loop.last or (not loop.last and reasoning_content) %}
                {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
            {%- else %}
                {{- '<|im_start|>' + message.role + '\\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and content) or (not loop.first) %}
                    {{- '\\n' }}
                {%- endif %}
                {%- if tool_call.function %}
                    {%- set tool_call = tool_call.function %}
                {%- endif %}
                {{- '<tool_call>\\n{"name": "' }}
                {{- tool_call.name }}
                {{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}
                    {{- tool_call.arguments }}
                {%- else %}
                    {{- tool_call.arguments | tojson }}
                {%- endif %}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' }}
        {{- content }}
        {{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
""",
    'macros': """{%- macro say(who, what='nothing', sign="!") -%}
  <{{ who|upper }}: {{ what }}{{ sign }}>
{%- endmacro -%}
{% macro twice(x) %}{{ say(x) }}{{ say(x, sign='?') }}{% endmacro %}
{% for m in messages if m.role != 'system' %}
  {{- loop.index }}/{{ loop.length }} {{ say(m.role, m.content | trim, sign=loop.cycle('.', ';')) }}
  {% if loop.index > 3 %}{% break %}{% endif %}
  {% if not loop.last %} | {% endif %}
{% else %}nobody{% endfor %}
{{ twice('z') }} {{ {'a': 1, "b": [1, 2.5, none, true]} | tojson }} {{ messages | map(attribute='role') | unique | list }}
{% macro box(t) %}[{{ t }}:{{ caller(t ~ '!') }}]{% endmacro %}{% call(x) box('q') %}inner {{ x }}{% endcall %}
{% set block %}  text {{ messages | length }} {% endset %}[{{ block | trim }}]
{% filter upper %}shout {{ 'x' }}{% endfilter %}
{% raw %}{{ not run }}{% endraw %}
""",
}

EXPRESSIONS = r"""
1 + 2 * 3
7 // 2 ~ ' ' ~ -7 // 2 ~ ' ' ~ -7 % 3 ~ ' ' ~ 7 % -3
2 ** 10
7 / 2
1e3 ~ ' ' ~ 0.1 ~ ' ' ~ 1e22 ~ ' ' ~ 1.5e-7 ~ ' ' ~ 123456.789 ~ ' ' ~ 100.0
'a' ~ 1 ~ true ~ none
'abc'[1] ~ 'abc'[-1] ~ 'abcdef'[1:4] ~ 'abcdef'[::-1] ~ 'abcdef'[::2] ~ 'abcdef'[-3:] ~ 'abcdef'[:-3] ~ 'abc'[5:]
'äöü€😀'[1:4] ~ ('äöü€😀' | length)
[1, 2, 3][1:] ~ [1,2,3][::-1] ~ [1,2][-1]
(1, 2)
(1,)
[]
{}
{'a': 'b', 'c': [1, 'x']}
['it\'s', "say \"x\"", 'both \' and "', 'a\nb\\']
'a' in 'abc' and 'z' not in 'abc'
1 in [1, 2] or false
not 1 == 2
1 < 2 < 3
1 < 3 < 2
'a' < 'b'
[1, 2] == [1, 2]
'yes' if 1 else 'no'
'yes' if 0
missing
missing is defined
missing | default('d')
'' | default('d')
'' | default('d', true)
none | default('d')
missing.x is defined
messages[99] is defined
messages[0].nothing is defined
messages[0].nothing.deeper
messages[0]['role']
messages | length
messages | selectattr('role', 'equalto', 'user') | list | length
messages | rejectattr('role', 'in', ['user', 'system']) | map(attribute='role') | join('-')
[3, 1, 2] | sort | join(',')
[3, 1, 2] | sort(reverse=true) | join(',')
['b', 'A', 'c'] | sort
[1, 1, 2] | unique | list
[0, 1, '', 'x'] | select | list
[1, 2, 3, 4] | select('odd') | list
[1, 2, 3, 4] | reject('divisibleby', 2) | list
['a', 'b'] | map('upper') | list
[1, 2, 3] | sum
[1, 2, 3] | first ~ [1, 2, 3] | last
[3, 9, 4] | max
[1, 2] + [3]
'ab' * 3
[0] * 3
'Hello World' | lower ~ 'x' | upper
'hello wORLD' | capitalize
'hello world' | title
'  x ' | trim ~ '|'
'xxaxx'.strip('x') ~ 'xxaxx'.lstrip('x') ~ 'xxaxx'.rstrip('x')
'a,b,,c'.split(',')
' a  b c '.split()
'a b c d'.split(' ', 2)
'a b c d'.rsplit(' ', 1)
'a b c d'.split(None, 1)
'a\nb\r\nc'.splitlines()
'abc'.startswith('ab') ~ 'abc'.endswith(('x', 'bc'))
'aXbX'.replace('X', '--') ~ 'aaa' | replace('a', 'b', 2)
'abc'.find('c') ~ 'abc'.find('z') ~ 'abcabc'.rfind('b') ~ 'aaa'.count('a')
'-'.join(['a', 'b'])
'ÄÖ'.lower() ~ 'straße'.upper()
'12'.isdigit() ~ 'a1'.isalpha() ~ ' '.isspace() ~ 'aB'.islower() ~ 'AB'.isupper()
{'a': 1}.get('a') ~ {'a': 1}.get('b') ~ {'a': 1}.get('b', 'c')
{'a': 1, 'b': 2}.items() | list
{'b': 1, 'a': 2} | dictsort
{'b': 1, 'a': 2}.keys() | list
{'a': 1} | items | list
{'a': {'b': [1, {'c': none}]}} | tojson
{'a': [1, 2], 'b': {}} | tojson(indent=2)
'<é"\\\n\t>' | tojson
[1.0, 2.5, true, none, 'x'] | tojson
'12' | int + 1
'x' | int(7)
'1.5' | float
3.99 | int
-5 | abs
'<a&b>' | e
'x' | string
[1, 2] | string
'a\nb' | indent(2)
'a\n\nb' | indent(2, true)
range(3) | list
range(1, 10, 3) | list
range(5, 0, -2) | list
1 is number and 1.5 is float and 1 is integer and 'x' is string and none is none and [] is sequence and {} is mapping and true is boolean
true is true and false is false and 1 is not string and 3 is odd and 4 is even and 6 is divisibleby 3
'x' is eq 'x' and 2 is gt 1 and 'a' is in ['a']
messages is iterable and messages is not mapping and missing is undefined and 'X' is upper
true + true
1 == 1.0 and true == 1
'a' 'b' "c"
"\x41\u00e4\n\\"
1_000 + 1
dict(a=1, b='x')
namespace(a=1).a
[[1, 2], [3]] | map('length') | list
[{'a': {'b': 5}}] | map(attribute='a.b') | list
'abc' | reverse
[1, 2, 3] | reverse | list
'a' ~ ('b' if false else 'c') ~ 'd'
(messages | first).role
messages[-1].content
messages[0].items() | list
messages[0] | tojson
raise_exception('stop: ' ~ 1)
1 / 0
'a' + 1
missing + 'a'
undefined_function(1)
'x' | no_such_filter
'x' is no_such_test
{% if true %}
[1, 2
'abc
messages.append(1)
-1 ** 2
2 ** -1
- 3 | abs
'a' if false else 'b' if false else 'c'
[1, 2, 3] | join(', ')
[{'n': 1}, {'n': 2}] | join('+', attribute='n')
[{'n': 2, 'm': 'a'}, {'n': 1, 'm': 'b'}] | sort(attribute='n') | map(attribute='m') | join
[1, [2, 'x']] | tojson
none ~ ''
1 if missing else 2
messages[1:] | length
not missing
(1 > 0) ~ (2 <= 2) ~ (3 != 3)
'%' ~ 5 % 3
""".strip('\n').split('\n')

STATEMENTS = [
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n", "a  {%- if true -%}  b  {%- endif -%}  c", "a\n    {%+ if true %}\nb{% endif +%}\nc", "x {{- 'y' -}} z", "{# note #}\na\n  {# note -#}\n b",
    "{% for i in [1,2,3] %}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}", "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% set x = 1 %}{% for i in [1,2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}", "{% set ns = namespace(x=1) %}{% for i in [1,2] %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
    "{% for i in [] %}x{% else %}empty{% endfor %}", "{% for i in [1,2,3,4] if i is even %}{{ loop.index }}:{{ i }} {% endfor %}",
    "{% for i in range(3) %}{% for j in range(2) %}{{ loop.depth }}{{ i }}{{ j }} {% endfor %}{% endfor %}", "{% for i in [1,2,3] %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in 'abc' %}{{ loop.revindex }}{{ i }}{{ loop.previtem is defined }}{{ loop.nextitem | default('-') }}{% endfor %}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "{% if true %}{% set y = 5 %}{% endif %}{{ y }}", "{% macro f(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ f(1) }} {{ f(1, 3) }} {{ f(b=1, a=9) }} {{ f() }}",
    "{% macro f() %}{{ caller() }}!{% endmacro %}{% call f() %}hey{% endcall %}", "{% set x %}a{{ 1 }}{% endset %}{{ x }}{{ x | length }}", "{{ messages }}", "{% for m in messages %}{{ m }}{% endfor %}",
    "a\r\nb\rc\n", "{% raw %}{% if %}{{ x }}{% endraw %}", "{%- raw -%}  {{ x }}  {%- endraw -%}  y", "{% generation %}x{% endgeneration %}", "text only", "", "\n\n", "{{ '}}' }}", "{{ {'a': {'b': 1}}['a']['b'] }}",
    "   {{ 1 }}\n   {% set x = 1 %}\n   {{ x }}\n", "\t{% if 1 %}\n\tx\n\t{% else %}\n\ty\n\t{% endif %}", "{% if 0 %}a{% elif 1 %}b{% else %}c{% endif %}", "{% for i in 5 %}{% endfor %}", "{% set loop = 3 %}{{ loop }}",
    "{% for i in [1,1,2] %}{{ loop.changed(i) }} {% endfor %}", "{% if x is defined %}a{% else %}b{% endif %}", "{{ 1 }}{# {{ 2 }} #}{{ 3 }}", "{% break %}", "{% unknown %}", "{% if %}x{% endif %}", "{% endif %}", "{{ }}", "{{ 1 2 }}",
]


def reference():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    class Generation(jinja2.ext.Extension):
        tags = {'generation'}

        def parse(self, parser):
            next(parser.stream)
            return parser.parse_statements(['name:endgeneration'], drop_needle=True)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols, Generation])
    env.filters['tojson'] = tojson
    env.globals['raise_exception'] = raise_exception
    for name in ('lipsum', 'cycler', 'joiner'):
        env.globals.pop(name, None)
    return env


class Message(ctypes.Structure):
    _fields_ = [('role', ctypes.c_char_p), ('content', ctypes.c_char_p)]


class Buffer(ctypes.Structure):
    _fields_ = [('ctx', ctypes.c_void_p), ('data', ctypes.c_void_p), ('size', ctypes.c_size_t), ('room', ctypes.c_size_t)]


class Ours:
    def __init__(self, path):
        self.lib = lib = ctypes.CDLL(path)
        lib.nigh_message.restype = ctypes.c_char_p
        lib.nigh_message.argtypes = [ctypes.c_void_p]
        self.ctx = ctypes.c_void_p()
        lib.nigh_context_new(ctypes.byref(self.ctx))
        self.tokenizer = ctypes.c_void_p()
        lib.nigh_tokenizer_bytes(self.ctx, ctypes.byref(self.tokenizer))
        lib.nigh_chat_render.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_bool, ctypes.c_void_p]
        lib.nigh_buffer_free.argtypes = [ctypes.c_void_p]

    def render(self, source, messages, answer):
        array = (Message * max(len(messages), 1))(*[(m['role'].encode(), m['content'].encode()) for m in messages])
        out = Buffer(ctx=self.ctx)
        status = self.lib.nigh_chat_render(self.ctx, self.tokenizer, source.encode(), array, len(messages), answer, ctypes.byref(out))
        text = ctypes.string_at(out.data, out.size).decode() if out.size else ''
        self.lib.nigh_buffer_free(ctypes.byref(out))
        return ('failed', self.lib.nigh_message(self.ctx).decode()) if status else ('text', text)


def theirs(env, source, messages, answer):
    try:
        return 'text', env.from_string(source).render(messages=messages, add_generation_prompt=answer, bos_token='<|begin|>', eos_token='<|end|>', tools=None, documents=None)
    except Exception as problem:
        return 'failed', f'{type(problem).__name__}: {problem}'


CONTENTS = ['Hello!', '  blanks around \n', '', 'naïve 😀 — “quotes”', '<think>\nhm\n</think>\n\nSo: 4', '{"a": [1, 2]}', '<tool_response>x</tool_response>', "it's \"this\"\n\ttab \\ end"]


def conversations(rng, rounds):
    for _ in range(rounds):
        style, n = rng.randrange(3), rng.randint(1, 7)
        roles = ['user' if i % 2 == 0 else 'assistant' for i in range(n)]
        if style:
            roles = ['system'] + roles
        if style == 2:
            roles = [rng.choice(['system', 'user', 'assistant', 'tool']) for _ in range(n)]
        yield [{'role': r, 'content': rng.choice(CONTENTS)} for r in roles], rng.random() < .5


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--library', default=os.path.join(HERE, '..', 'build', 'libnigh.so'))
    parser.add_argument('--rounds', type=int, default=200)
    args = parser.parse_args()
    env, ours, rng = reference(), Ours(args.library), random.Random(5)
    jobs = [(name, source, m, a) for name, source in TEMPLATES.items() for m, a in conversations(rng, args.rounds)]
    fixed = [{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': 'Hi'}, {'role': 'assistant', 'content': 'Hello'}, {'role': 'user', 'content': "What's 2+2?"}]
    jobs += [('expression', '{{ ' + e + ' }}', fixed, True) for e in EXPRESSIONS] + [('statement', s, fixed, False) for s in STATEMENTS]
    wrong = failed = 0
    for name, source, messages, answer in jobs:
        a, b = ours.render(source, messages, answer), theirs(env, source, messages, answer)
        failed += b[0] == 'failed'
        if a[0] != b[0] or (a[0] == 'text' and a[1] != b[1]):
            wrong += 1
            if wrong <= 12:
                print(f'{name} {source[:90]!r}: {a[1][:200]!r} instead of {b[0]} {b[1][:200]!r}')
    print(f'{len(jobs)} templates and messages, {failed} of them refused by both sides, {wrong} differ')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
