-- What partners advertise campaigns with: banners, texts and letters. Retired ones stay, as partners' pages still show them.

CREATE TABLE materials (
    id          uuid PRIMARY KEY,
    campaign_id uuid NOT NULL REFERENCES campaigns (id),
    -- domain::material::MaterialKind.
    kind        text NOT NULL CHECK (kind IN ('banner', 'text', 'mail')),
    name        text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    -- What is copied, with {link} in it; for a banner what it says to those who do not see it.
    text        text NOT NULL CHECK (char_length(text) BETWEEN 1 AND 20000),
    image       bytea CHECK (octet_length(image) BETWEEN 1 AND 307200),
    -- domain::material::PictureType.
    image_type  text CHECK (image_type IN ('image/png', 'image/jpeg', 'image/gif', 'image/webp')),
    width       int CHECK (width BETWEEN 1 AND 4096),
    height      int CHECK (height BETWEEN 1 AND 4096),
    created_at  timestamptz NOT NULL,
    -- Since when it is in no list any more.
    retired_at  timestamptz,
    -- A banner has a picture, and nothing else has one.
    CONSTRAINT materials_picture CHECK (
        num_nulls(image, image_type, width, height) = CASE kind WHEN 'banner' THEN 0 ELSE 4 END
    )
);
CREATE INDEX materials_in_use ON materials (campaign_id, id) WHERE retired_at IS NULL;
