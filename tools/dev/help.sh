# help                   lists the verbs

cat <<'END'
./dev VERB [ARGUMENT...]       run from anywhere; nothing but git and a shell needs to be installed

END
for name in setup build chat test lint format bench help; do
  file=$QUERN_ROOT/tools/dev/$name.sh
  [ ! -f "$file" ] || sed -n '1{s/^# /  .\/dev /;p;q}' "$file"
done
