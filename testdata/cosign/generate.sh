#!/bin/sh
# Makes the fixtures in this directory again. Needs cosign 3 (COSIGN), cosign 2 (COSIGN2), crane, openssl, python3 and an
# empty registry without the referrers API on loopback: generate.sh HOST:PORT
set -eu
registry=$1
cd "$(dirname "$0")"
: "${COSIGN:=cosign}" "${COSIGN2:=cosign2}"
export COSIGN_PASSWORD=touchmark
flags="--allow-http-registry --allow-insecure-registry -y"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
$COSIGN signing-config create --out "$work/no-services.json"
printf 'a file that was signed\n' > blob.txt
printf '{"bomFormat":"CycloneDX","specVersion":"1.6"}' > "$work/predicate.json"

openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$work/p384.pem"
openssl genpkey -quiet -algorithm ed25519 -out "$work/ed25519.pem"
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$work/rsa2048.pem"
$COSIGN generate-key-pair --output-key-prefix p256
$COSIGN2 generate-key-pair --output-key-prefix cosign2
for key in p384 ed25519 rsa2048; do
    $COSIGN import-key-pair --key "$work/$key.pem" --output-key-prefix "$key" -y
done
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -outform PEM | openssl pkey -pubout -out weak-rsa1024.pub
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-521 | openssl pkey -pubout -out p521.pub

printf 'hello\n' > "$work/hello.txt"
tar -C "$work" --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$work/layer.tar" hello.txt
crane append --insecure -f "$work/layer.tar" -t "$registry/acme/app:v1" > /dev/null
digest=$(crane digest --insecure "$registry/acme/app:v1")
crane manifest --insecure "$registry/acme/app@$digest" | tr -d '\n' > image.manifest.json

for key in p256 p384 ed25519 rsa2048; do
    image=$registry/acme/$key@$digest
    crane copy --insecure "$registry/acme/app:v1" "$registry/acme/$key:v1"
    $COSIGN sign-blob --key $key.key --signing-config "$work/no-services.json" -y --bundle blob.$key.bundle.json blob.txt > /dev/null
    $COSIGN2 sign-blob --key $key.key --tlog-upload=false -y --output-signature blob.$key.sig blob.txt
    $COSIGN sign --key $key.key --signing-config "$work/no-services.json" $flags -a env=prod "$image"
    $COSIGN attest --key $key.key --signing-config "$work/no-services.json" $flags --type cyclonedx --predicate "$work/predicate.json" "$image"
    $COSIGN2 sign --key $key.key --tlog-upload=false $flags -a env=prod "$image"
    $COSIGN2 attest --key $key.key --tlog-upload=false $flags --type cyclonedx --predicate "$work/predicate.json" "$image"
    python3 - "$registry" "acme/$key" "$digest" "$key" <<'PYTHON'
import json, sys, urllib.request
registry, repository, digest, key = sys.argv[1:]
TYPES = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
def get(path):
    request = urllib.request.Request(f"http://{registry}/v2/{repository}/{path}", headers={"Accept": TYPES})
    return urllib.request.urlopen(request).read()
def save(name, data):
    open(f"{name}", "wb").write(data)
tag = digest.replace(":", "-")
for entry in json.loads(get(f"manifests/{tag}"))["manifests"]:
    manifest = get(f"manifests/{entry['digest']}")
    name = "sign" if b"sigstore.dev/cosign/sign/v1" in manifest else "attest"
    save(f"{name}.{key}.manifest.json", manifest)
    save(f"{name}.{key}.bundle.json", get("blobs/" + json.loads(manifest)["layers"][0]["digest"]))
for kind in ("sig", "att"):
    manifest = get(f"manifests/{tag}.{kind}")
    parsed = json.loads(manifest)
    save(f"legacy.{key}.{kind}.manifest.json", manifest)
    save(f"legacy.{key}.{kind}.config.json", get("blobs/" + parsed["config"]["digest"]))
    save(f"legacy.{key}.{kind}.layer.json", get("blobs/" + parsed["layers"][0]["digest"]))
PYTHON
done
$COSIGN2 sign-blob --key cosign2.key --tlog-upload=false -y --bundle blob.cosign2.old-bundle.json blob.txt > /dev/null
$COSIGN sign-blob --key p256.key --new-bundle-format=false --use-signing-config=false --tlog-upload=false -y \
    --bundle blob.p256.old-bundle.json blob.txt > /dev/null
