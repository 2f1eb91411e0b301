#!/usr/bin/env python3
"""What a rule costs a token: weighted draws (adaptive rejection) beside masks over the vocabulary's trie and PyPI llguidance, and what answers are worth.

    awrs_beside.py MODEL.gguf [--tool build/bench/awrs_time] [--particles 4]

The same model, patterns and prompts for all; llguidance computes the mask of each step along the answers that were drawn, in a matcher of its own for each
answer (first) and once more after a reset (again). Needs PyPI llguidance and llama-cpp-python. Microseconds a token, means over prompts; one thread.
"""
import argparse
import json
import os
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = {
    'date': ('[0-9]{4}-[01][0-9]-[0-3][0-9]', 'In the form YYYY-MM-DD, the date of %s was ',
             ['the first moon landing', 'the fall of the Berlin wall', 'the end of the second world war', 'the attack on Pearl Harbor', 'the declaration of independence',
              'the storming of the Bastille', 'the battle of Waterloo', 'the first flight of the Wright brothers', 'the sinking of the Titanic', 'the coronation of Elizabeth II']),
    'address': (r'([0-9]{1,3}\.){3}[0-9]{1,3}', 'The IPv4 address of %s is ',
                ['my router', 'the printer', 'the mail server', 'the host localhost', "Google's name server", 'the gateway', 'the new laptop', 'the database machine',
                 'the backup server', 'the camera']),
    'object': (r'\{"name": "[A-Za-z .]{1,30}", "age": [0-9]{1,3}, "city": "[A-Za-z .]{1,30}"\}', 'As JSON with the fields name, age and city, %s is: ',
               ['a teacher', 'a doctor', 'the mayor', 'my neighbour', 'a pilot', 'the baker', 'a young painter', 'an old sailor', 'the director', 'a student']),
}


def peer_tokenizer(path):
    import llama_cpp
    import llguidance.llamacpp
    quiet = llama_cpp.llama_log_callback(lambda level, text, user: None)
    llama_cpp.llama_log_set(quiet, None)
    llama_cpp.llama_backend_init()
    parameters = llama_cpp.llama_model_default_params()
    parameters.vocab_only = True
    model = llama_cpp.llama_model_load_from_file(path.encode(), parameters)
    return llguidance.llamacpp.lltokenizer_from_vocab(llama_cpp.llama_model_get_vocab(model))


def peer_times(tokenizer, pattern, answers):
    """Microseconds of a mask (first, again) and of making a matcher."""
    import llguidance
    grammar, first, again, made, steps = llguidance.LLMatcher.grammar_from_regex(pattern), 0., 0., 0., 0
    for tokens in answers:
        began = time.perf_counter()
        matcher = llguidance.LLMatcher(tokenizer, grammar)
        made += time.perf_counter() - began
        for turn in range(2):
            for token in tokens:
                began = time.perf_counter()
                matcher.compute_bitmask()
                took = time.perf_counter() - began
                first, again = (first + took, again) if turn == 0 else (first, again + took)
                assert matcher.consume_token(token), matcher.get_error()
            matcher.reset()
        steps += len(tokens)
    return 1e6 * first / steps, 1e6 * again / steps, 1e6 * made / len(answers)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model')
    parser.add_argument('--tool', default=os.path.join(HERE, '..', 'build', 'bench', 'awrs_time'))
    parser.add_argument('--particles', type=int, default=4)
    a = parser.parse_args()
    environment = dict(os.environ, OMP_NUM_THREADS='1', RAYON_NUM_THREADS='1')
    try:
        tokenizer = peer_tokenizer(a.model)
    except ImportError as error:
        tokenizer = None
        print(f'without llguidance: {error}')
    print('microseconds a token   draw  with law  tests  all tokens  trie walk  kept mask  llguidance first, again (matcher)   log p of answers: by weight, by masking')
    for name, (pattern, form, subjects) in RULES.items():
        command = [a.tool, a.model, pattern, str(a.particles), *[form % s for s in subjects], '--threads', '1']
        lines = [json.loads(x) for x in subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.splitlines()]
        mean = {key: sum(x[key] for x in lines) / len(lines) for key in lines[0] if key not in ('answer', 'masked')}
        peer = peer_times(tokenizer, pattern, [x['answer'] for x in lines]) if tokenizer else (float('nan'),) * 3
        print(f"{name:20} {mean['draw']:7.2f} {mean['law']:9.1f} {mean['tests']:6.2f} {mean['all']:11.0f} {mean['walk']:10.2f} {mean['kept']:10.3f} "
              f"{peer[0]:14.2f}, {peer[1]:.2f} ({peer[2]:.0f}) {mean['log_p']:20.2f}, {mean['masked_log_p']:.2f}")


if __name__ == '__main__':
    main()
