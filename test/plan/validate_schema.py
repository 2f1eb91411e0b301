"""Sample receipts hold to docs/receipt.schema.json, and spoilt ones do not.

    validate_schema.py TEST_PLAN_RECEIPT SCHEMA

TEST_PLAN_RECEIPT is the test program; it writes the samples. Exit 77: the module jsonschema is missing.
"""
import copy
import glob
import json
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    print("the Python module jsonschema is missing")
    sys.exit(77)


def main():
    program, schema_path = sys.argv[1:3]
    with open(schema_path) as file:
        schema = json.load(file)
    checker_of = getattr(jsonschema, "Draft202012Validator", None)
    if checker_of is None:
        print("this jsonschema knows no JSON Schema 2020-12")
        sys.exit(77)
    checker_of.check_schema(schema)
    checker = checker_of(schema)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "--write", folder], check=True)
        receipts = []
        for path in sorted(glob.glob(folder + "/*.json")):
            with open(path) as file:
                receipts.append(json.load(file))
    if not receipts:
        sys.exit("no samples were written")
    for receipt in receipts:
        checker.validate(receipt)
        if set(receipt) != set(schema["properties"]):
            sys.exit("the schema and the receipt name different members")
        for key in receipt:  # each member is needed, and its type is checked
            spoilt = copy.deepcopy(receipt)
            del spoilt[key]
            if checker.is_valid(spoilt) != (key not in schema["required"]):  # younger members lack in old receipts
                sys.exit("the schema accepts a receipt without " + key)
            spoilt[key] = [[]]
            if checker.is_valid(spoilt):
                sys.exit("the schema accepts a list for " + key)
    print(len(receipts), "receipts are valid")


main()
