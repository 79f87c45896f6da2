-- The scalar rules of the design in SQL, written apart from the payload models so that a mistake would have to be made twice.

-- Text without Unicode's white space at its ends.
CREATE OR REPLACE TEMP MACRO stripped(txt) AS
    regexp_replace(txt, '^[\s\x0b\x1c-\x1f\x{85}\p{Z}]+|[\s\x0b\x1c-\x1f\x{85}\p{Z}]+$', '', 'g');

-- Whether a member is absent or null.
CREATE OR REPLACE TEMP MACRO is_absent(member) AS coalesce(json_type(member), 'NULL') = 'NULL';

-- Clean text of a string or a whole number; null for anything else. DuckDB calls an integer past 64 bits a DOUBLE.
CREATE OR REPLACE TEMP MACRO text_of(member) AS CASE
    WHEN json_type(member) IN ('VARCHAR', 'BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT')
        OR (json_type(member) = 'DOUBLE' AND regexp_full_match(member ->> '$', '-?[0-9]+'))
        THEN nullif(stripped(replace(member ->> '$', chr(0), '')), '')
    WHEN json_type(member) = 'DOUBLE' AND regexp_full_match(member ->> '$', '-0\.0') THEN '0'
    WHEN json_type(member) = 'DOUBLE' AND regexp_full_match(member ->> '$', '-?[0-9]{1,15}\.0')
        THEN regexp_replace(member ->> '$', '\.0$', '')
END;

-- Text that needs no cleaning, no cut and no rule beyond ASCII; '' for what is no text; null for anything else.
CREATE OR REPLACE TEMP MACRO plain_text(member) AS CASE
    WHEN coalesce(json_type(member), 'NULL') IN ('NULL', 'ARRAY', 'OBJECT', 'BOOLEAN') THEN ''
    WHEN json_type(member) = 'VARCHAR' AND regexp_full_match(member ->> '$', '[!-~]([ -~]{0,253}[!-~])?') THEN member ->> '$'
    WHEN json_type(member) <> 'VARCHAR' AND regexp_full_match(member ->> '$', '0|-?[1-9][0-9]{0,14}') THEN member ->> '$'
END;

-- Whether an id is a number whose digits a double does not hold for certain.
CREATE OR REPLACE TEMP MACRO is_large_id(member) AS coalesce(
    json_type(member) = 'DOUBLE'
    AND NOT regexp_full_match(member ->> '$', '-?[0-9]+')
    AND NOT regexp_full_match(member ->> '$', '-?[0-9]{1,15}\.[0-9]+'),
    false
);

-- Whether an id cannot be one: too long, or with half a surrogate pair, for which U+FFFF stands in the pages at hand.
CREATE OR REPLACE TEMP MACRO is_invalid_id(txt, given) AS
    coalesce(strlen(txt) > 255 OR (json_type(given) = 'VARCHAR' AND contains(given ->> '$', chr(65535))), false);

CREATE OR REPLACE TEMP MACRO is_numeric(txt) AS
    regexp_full_match(txt, '[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?');

-- What may be a number: the text of a number or of a string.
CREATE OR REPLACE TEMP MACRO number_text(member) AS CASE
    WHEN json_type(member) IN ('VARCHAR', 'BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE') THEN stripped(member ->> '$')
END;

-- A number rounded half-even to four digits; null where it is not one; 10^20 where it passes what 38 digits hold.
CREATE OR REPLACE TEMP MACRO number_of(member) AS CASE
    WHEN is_numeric(number_text(member))
        THEN coalesce(round_even(try_cast(number_text(member) AS DECIMAL(38, 12)), 4), 1e20::DECIMAL(38, 4))
END;

-- More digits, or a longer exponent, than number_of is sure to read exactly.
CREATE OR REPLACE TEMP MACRO is_long_number(member) AS
    coalesce(is_numeric(number_text(member)) AND regexp_matches(number_text(member), '[0-9.]{17}|[eE][+-]?[0-9]{2}'), false);

CREATE OR REPLACE TEMP MACRO is_common_time(txt) AS regexp_full_match(
    txt, '[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?'
);

-- Minutes of an offset at the end of text; null without one. An offset of a day or more is not one.
CREATE OR REPLACE TEMP MACRO offset_minutes(txt) AS
    60 * try_cast(nullif(regexp_extract(txt, '[+-]([0-9]{2}):?[0-9]{2}$', 1), '') AS INTEGER)
    + try_cast(nullif(regexp_extract(txt, '[+-][0-9]{2}:?([0-9]{2})$', 1), '') AS INTEGER);

-- ISO 8601 text in its common forms as UTC; null for the rest. A cast to TIMESTAMP ignores the offset: never use it here.
CREATE OR REPLACE TEMP MACRO time_of(member) AS CASE
    WHEN json_type(member) = 'VARCHAR' AND is_common_time(stripped(member ->> '$'))
        AND (length(stripped(member ->> '$')) = 10 OR coalesce(offset_minutes(stripped(member ->> '$')) < 1440, true)) THEN (
        SELECT CASE WHEN utc >= TIMESTAMP '1970-01-01' AND utc < TIMESTAMP '2200-01-01' THEN utc END
        FROM (
            SELECT make_timestamp(epoch_us(try_cast(
                stripped(member ->> '$')
                || CASE
                    WHEN length(stripped(member ->> '$')) = 10 THEN ' 00:00:00Z'
                    WHEN regexp_matches(stripped(member ->> '$'), '(Z|[+-][0-9]{2}:?[0-9]{2})$') THEN ''
                    ELSE 'Z'
                END AS TIMESTAMPTZ
            ))) AS utc
        )
    )
END;

-- Text that ISO 8601 may read in one of its rarer forms, which time_of does not know.
CREATE OR REPLACE TEMP MACRO is_rare_time(member) AS coalesce(
    json_type(member) = 'VARCHAR'
    AND NOT is_common_time(stripped(member ->> '$'))
    AND NOT is_numeric(stripped(member ->> '$'))
    AND regexp_matches(member ->> '$', '^\s*[0-9]{4}'),
    false
);

CREATE OR REPLACE TEMP MACRO has_repeated_key(member) AS
    coalesce(len(json_keys(member)) <> len(list_distinct(json_keys(member))), false);

-- Whether a record may be nested past 2,000 levels, beyond which it is not read.
CREATE OR REPLACE TEMP MACRO is_deep(txt) AS
    strlen(txt) > 4000 AND length(regexp_replace(txt, '[^\[{]', '', 'g')) > 2000;

CREATE OR REPLACE TEMP MACRO amount_limit() AS CAST(100000000000000 AS DECIMAL(38, 4));

-- Whether an amount is there and is not a number from 0 to below the limit.
CREATE OR REPLACE TEMP MACRO is_invalid_amount(member) AS
    NOT is_absent(member) AND NOT coalesce(number_of(member) >= 0 AND number_of(member) < amount_limit(), false);

CREATE OR REPLACE TEMP MACRO is_invalid_time(member) AS NOT is_absent(member) AND time_of(member) IS NULL;

-- Money as an integer of 0.0001.
CREATE OR REPLACE TEMP MACRO units(amount) AS CAST(CAST(amount AS DECIMAL(38, 4)) * 10000 AS HUGEINT);

CREATE OR REPLACE TEMP MACRO money(units) AS CAST(units AS DECIMAL(30, 0)) * CAST(0.0001 AS DECIMAL(5, 4));

-- The quotient of two integers, not negative, half-even, as money.
CREATE OR REPLACE TEMP MACRO average(a, b) AS money(
    a // b + CASE WHEN 2 * (a % b) > b OR (2 * (a % b) = b AND (a // b) % 2 = 1) THEN 1 ELSE 0 END
);

CREATE OR REPLACE TEMP MACRO floor_div(a, b) AS a // b - CASE WHEN a % b < 0 THEN 1 ELSE 0 END;

-- A row's share of a value by cumulative rounding: upto is the sum of the weights up to this row, total that of all rows.
CREATE OR REPLACE TEMP MACRO share(value, weight, upto, total) AS
    floor_div(value * upto, total) - floor_div(value * (upto - weight), total);
